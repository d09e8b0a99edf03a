#define _GNU_SOURCE
#include "detached.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Descriptors that are closed one by one where the kernel has no close_range(2) (before Linux 5.9). */
enum { last_descriptor = 4096 };

/* In the grandchild; only async-signal-safe calls, since the caller has threads. */
static void become(char *const arguments[], char *const environment[], int report) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigset_t none;
  int null, error;

  for (int number = 1; number < NSIG; number++) sigaction(number, &standard, 0);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, 0);
  null = open("/dev/null", O_RDWR);
  if (null < 0 || chdir("/") != 0) goto fail;
  /* The report's end first out of the way of the three. */
  if (report < 4) {
    int other = fcntl(report, F_DUPFD_CLOEXEC, 4);
    if (other < 0) goto fail;
    report = other;
  }
  if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 || dup3(report, 3, O_CLOEXEC) < 0) goto fail;
  report = 3;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, 4u, ~0u, 0u) != 0)
#endif
    for (int number = 4; number < last_descriptor; number++) close(number);
  execve(arguments[0], arguments, environment);
fail:
  error = errno;
  while (write(report, &error, sizeof error) < 0 && errno == EINTR) {}
  _exit(127);
}

int bg_spawn_detached(char *const arguments[], char *const environment[]) {
  int ends[2], error = 0, status;
  sigset_t all, before;
  pid_t child;
  ssize_t count;

  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  /* No handler of ours runs in the copies. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  child = fork();
  if (child == 0) {
    pid_t grandchild;
    setsid();
    grandchild = fork();
    if (grandchild == 0) become(arguments, environment, ends[1]);
    if (grandchild < 0) {
      error = errno;
      while (write(ends[1], &error, sizeof error) < 0 && errno == EINTR) {}
    }
    _exit(0);
  }
  if (child < 0) error = errno;
  pthread_sigmask(SIG_SETMASK, &before, 0);
  close(ends[1]);
  if (child > 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    /* Ends without a byte once execve has closed the other end. */
    do count = read(ends[0], &error, sizeof error); while (count < 0 && errno == EINTR);
    if (count != (ssize_t)sizeof error) error = 0;
  }
  close(ends[0]);
  return error;
}
