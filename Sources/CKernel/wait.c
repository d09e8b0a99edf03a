#define _GNU_SOURCE
#include "wait.h"
#include <poll.h>

int bg_wait_readable(const int *fds, unsigned count, int64_t nanoseconds) {
  struct pollfd entries[BG_WAIT_LIMIT];
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  if (count > BG_WAIT_LIMIT) count = BG_WAIT_LIMIT;
  for (unsigned i = 0; i < count; i++) entries[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  return ppoll(entries, count, nanoseconds < 0 ? 0 : &limit, 0);
}
