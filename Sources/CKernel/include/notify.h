#ifndef BAUDGATE_NOTIFY_H
#define BAUDGATE_NOTIFY_H
#include <stddef.h>

/* One datagram to a service manager's socket, sd_notify(3): never waits. libsystemd's own call finds the socket by the
   environment alone, and waits where the manager does not read.
   `path` is absolute, or begins with @ for an abstract one. `fd` goes with it unless it is negative.
   Returns 0, or -1 with errno set. */
int bg_notify(const char *path, const char *text, size_t length, int fd);
/* Waits until the manager has taken all that was sent before (BARRIER=1, systemd 246), `milliseconds` at most.
   Returns 0, or -1 with errno set: ETIMEDOUT where it has not. */
int bg_notify_barrier(const char *path, int milliseconds);
#endif
