#ifndef BAUDGATE_GATED_H
#define BAUDGATE_GATED_H
#include <sys/types.h>
/* A child that waits at a gate: its number can be written down before its program begins, and it ends by itself where
   its parent dies before that. */
struct bg_gated {
  pid_t process; /* also its session and process group */
  int output;    /* both its outputs; the near end, non-blocking */
  int gate;      /* internal to bg_gate_open */
  int failure;   /* internal to bg_gate_open */
};
/* Forks the child: a session of its own, `/` as directory, /dev/null as input, no other descriptor, no signal blocked or
   ignored. 0, or the error number. */
int bg_gated_fork(char *const arguments[], char *const environment[], struct bg_gated *child);
/* Lets the child execute arguments[0]. 0, or the error number of execve(2); the child has ended then and is to be
   waited for. Closes the gate. */
int bg_gate_open(struct bg_gated *child);
/* Closes gate and output; a child still at the gate ends. */
void bg_gated_close(struct bg_gated *child);
/* Keeps SIGTERM, SIGINT and SIGHUP from the calling thread and gives a non-blocking descriptor that is readable when one
   has come, signalfd(2); -1 with errno. */
int bg_termination(void);
#endif
