/* LD_PRELOAD: makes calls stall as a dead name server or a stalling SD card would, and ends the process between two
   durable steps.
   BAUDGATE_FAULT_DIRECTORY/NAME exists: the call NAME waits until it is gone, 120 s at most.
   BAUDGATE_KILL_MATCH=WORD:WORD$:... counts fsync, fdatasync and rename of paths that hold a word (at their end, with $)
   and writes each to BAUDGATE_FAULT_DIRECTORY/steps; BAUDGATE_KILL_AT=N or N+ ends the process with SIGKILL before, or
   after, the Nth of them, counted from 1 over this process's life. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int matches(const char *path) {
  const char *words = getenv("BAUDGATE_KILL_MATCH");
  char word[256];
  while (words && *words) {
    size_t length = strcspn(words, ":");
    if (length && length < sizeof word) {
      memcpy(word, words, length);
      word[length] = 0;
      if (word[length - 1] == '$') {
        word[--length] = 0;
        size_t all = strlen(path);
        if (all >= length && strcmp(path + all - length, word) == 0) return 1;
      } else if (strstr(path, word)) {
        return 1;
      }
    }
    words += strcspn(words, ":");
    words += *words == ':';
  }
  return 0;
}

/* Before a durable step: its number, or 0 where it does not count. */
static int step(const char *call, const char *path) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static int count;
  const char *at = getenv("BAUDGATE_KILL_AT"), *directory = getenv("BAUDGATE_FAULT_DIRECTORY");
  if (!directory || !matches(path)) return 0;
  pthread_mutex_lock(&mutex);
  int number = ++count;
  char name[512];
  snprintf(name, sizeof name, "%s/steps", directory);
  FILE *steps = fopen(name, "a");
  if (steps) fprintf(steps, "%d %s %s\n", number, call, path), fclose(steps);
  pthread_mutex_unlock(&mutex);
  if (at && !strchr(at, '+') && atoi(at) == number) kill(getpid(), SIGKILL);
  return number;
}

static void stepped(int number) {
  const char *at = getenv("BAUDGATE_KILL_AT");
  if (number && at && strchr(at, '+') && atoi(at) == number) kill(getpid(), SIGKILL);
}

static int step_of(const char *call, int fd) {
  char link[64], path[512];
  if (!getenv("BAUDGATE_KILL_MATCH")) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  return step(call, path);
}

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
  int number = step_of("fdatasync", fd);
  int result = real(fd);
  stepped(number);
  return result;
}

int fsync(int fd) {
  int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
  stall("fsync");
  int number = step_of("fsync", fd);
  int result = real(fd);
  stepped(number);
  return result;
}

int rename(const char *from, const char *to) {
  int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "rename");
  int number = step("rename", to);
  int result = real(from, to);
  stepped(number);
  return result;
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
