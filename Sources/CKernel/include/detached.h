#ifndef BAUDGATE_DETACHED_H
#define BAUDGATE_DETACHED_H
/* Starts arguments[0] as nobody's child: a session of its own, forked twice, `/` as directory, /dev/null as its three
   descriptors and no other, no signal blocked or ignored. It outlives the caller, and nobody has to wait for it.
   Returns when the program has been started: 0, or the error number of the call that failed, execve(2)'s too. */
int bg_spawn_detached(char *const arguments[], char *const environment[]);
#endif
