#include "descriptor.h"
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

int bg_open(const char *path, int flags, unsigned int mode) { return open(path, flags, mode); }

int bg_openat(int directory, const char *path, int flags, unsigned int mode) {
  return openat(directory, path, flags, mode);
}

int bg_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int bg_set_close_on_exec(int fd, int on) {
  int flags = fcntl(fd, F_GETFD);
  return flags < 0 ? -1 : fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

int bg_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void bg_eventfd_signal(int fd) { eventfd_write(fd, 1); }

void bg_eventfd_clear(int fd) {
  eventfd_t count;
  eventfd_read(fd, &count);
}

void bg_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }
