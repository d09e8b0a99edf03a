#ifndef BAUDGATE_WAIT_H
#define BAUDGATE_WAIT_H
#include <stdint.h>
#define BG_WAIT_LIMIT 8
/* Waits until one of the descriptors is readable or hung up, for that long at most, for ever with a negative time; negative
   descriptors and those behind the eighth are left out. How many are, or -1 with errno. ppoll(2), to the nanosecond. */
int bg_wait_readable(const int *fds, unsigned count, int64_t nanoseconds);
#endif
