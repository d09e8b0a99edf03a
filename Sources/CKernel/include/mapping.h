#ifndef BAUDGATE_MAPPING_H
#define BAUDGATE_MAPPING_H
#include <stddef.h>

typedef int (*bg_bytes_reader)(void *context, const void *bytes, size_t count);

/* Calls `reader` with the file's first `count` bytes mapped for reading, and answers what it answered; -1 with errno where
   they could not be mapped, or could not all be read: a file that was truncated meanwhile or a card that fails would
   otherwise be a SIGBUS. One caller at a time, others wait. */
int bg_read_mapped(int fd, size_t count, bg_bytes_reader reader, void *context);

#endif
