#ifndef BAUDGATE_PROCESS_H
#define BAUDGATE_PROCESS_H
#include <sys/types.h>
/* A descriptor that is readable when the process has ended, pidfd_open(2); ENOSYS before Linux 5.3. Close-on-exec. */
int bg_pidfd_open(pid_t process);
/* Starts arguments[0], posix_spawn(3): process group of its own, `/` as directory, /dev/null as input, both outputs in
   a pipe whose non-blocking near end becomes `*output`; no other descriptor, no signal blocked or ignored.
   0, or the error number. */
int bg_spawn(char *const arguments[], char *const environment[], pid_t *process, int *output);
#endif
