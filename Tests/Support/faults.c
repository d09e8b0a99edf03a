/* LD_PRELOAD: makes calls stall as a dead name server or a stalling SD card would.
   BAUDGATE_FAULT_DIRECTORY/NAME exists: the call NAME waits until it is gone, 120 s at most. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static void stall(const char *name) {
  const char *directory = getenv("BAUDGATE_FAULT_DIRECTORY");
  char path[512], seen[512];
  if (!directory) return;
  snprintf(path, sizeof path, "%s/%s", directory, name);
  snprintf(seen, sizeof seen, "%s/%s.seen", directory, name);
  if (access(path, F_OK) != 0) return;
  FILE *mark = fopen(seen, "w");
  if (mark) fclose(mark);
  for (int i = 0; i < 12000 && access(path, F_OK) == 0; i++) usleep(10000);
}

int fdatasync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
  stall("fdatasync");
  return real(fd);
}

int fsync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  stall("fsync");
  return real(fd);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      dlsym(RTLD_NEXT, "getaddrinfo");
  stall("getaddrinfo");
  return real(node, service, hints, result);
}

/* Keeps what the journal was sent, a field a line, an empty line behind each entry. */
int sd_journal_sendv(const struct iovec *iov, int n) {
  char path[512];
  stall("journal");
  snprintf(path, sizeof path, "%s/entries", getenv("BAUDGATE_FAULT_DIRECTORY"));
  FILE *entries = fopen(path, "a");
  if (!entries) return 0;
  for (int i = 0; i < n; i++) fprintf(entries, "%.*s\n", (int)iov[i].iov_len, (const char *)iov[i].iov_base);
  fprintf(entries, "\n");
  fclose(entries);
  return 0;
}
