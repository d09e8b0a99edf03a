#define _GNU_SOURCE
#include "gated.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where the child keeps its two private descriptors, above the three everybody has. */
enum { gate_number = 3, failure_number = 4, first_foreign = 5 };

static void close_foreign(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first_foreign, ~0U, 0) == 0) return;
#endif
  /* Before Linux 5.9. */
  for (int fd = first_foreign; fd < 65536; fd++) close(fd);
}

/* Only calls of signal-safety(7): the parent may have threads. */
static void child(char *const arguments[], char *const environment[], int output, int gate, int failure) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigset_t none;
  char open_byte;
  int error;

  /* Two of them may stand in each other's place: first up, out of the way. */
  output = fcntl(output, F_DUPFD, 16);
  gate = fcntl(gate, F_DUPFD, 16);
  failure = fcntl(failure, F_DUPFD, 16);
  int input = open("/dev/null", O_RDONLY);
  if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup2(gate, gate_number) < 0 ||
      dup2(failure, failure_number) < 0)
    _exit(126);
  fcntl(gate_number, F_SETFD, FD_CLOEXEC);
  fcntl(failure_number, F_SETFD, FD_CLOEXEC);
  close_foreign();
  setsid();
  for (int number = 1; number < NSIG; number++) sigaction(number, &standard, 0);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, 0);
  /* The parent's end: nothing was begun. */
  if (read(gate_number, &open_byte, 1) != 1) _exit(126);
  if (chdir("/") == 0) execve(arguments[0], arguments, environment);
  error = errno;
  if (write(failure_number, &error, sizeof error) < 0) _exit(126);
  _exit(127);
}

int bg_gated_fork(char *const arguments[], char *const environment[], struct bg_gated *result) {
  int ends[6] = {-1, -1, -1, -1, -1, -1}, error;
  struct sigaction now;

  /* Inherited from whoever started us, it would make the kernel forget how a child ended. */
  if (sigaction(SIGCHLD, 0, &now) == 0 && now.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
  if (pipe2(ends, O_CLOEXEC) || pipe2(ends + 2, O_CLOEXEC) || pipe2(ends + 4, O_CLOEXEC)) goto failed;
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) goto failed;
  result->process = fork();
  if (result->process < 0) goto failed;
  if (result->process == 0) child(arguments, environment, ends[1], ends[2], ends[5]);
  close(ends[1]);
  close(ends[2]);
  close(ends[5]);
  result->output = ends[0];
  result->gate = ends[3];
  result->failure = ends[4];
  return 0;
failed:
  error = errno;
  for (int i = 0; i < 6; i++)
    if (ends[i] >= 0) close(ends[i]);
  return error;
}

int bg_gate_open(struct bg_gated *child) {
  struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
  int error = 0;
  ssize_t count;

  sigaction(SIGPIPE, &ignore, &before);
  do count = write(child->gate, "", 1);
  while (count < 0 && errno == EINTR);
  sigaction(SIGPIPE, &before, 0);
  close(child->gate);
  child->gate = -1;
  /* Ends with the descriptor's close on exec. */
  do count = read(child->failure, &error, sizeof error);
  while (count < 0 && errno == EINTR);
  close(child->failure);
  child->failure = -1;
  return count == sizeof error ? error : 0;
}

void bg_gated_close(struct bg_gated *child) {
  if (child->gate >= 0) close(child->gate);
  if (child->failure >= 0) close(child->failure);
  if (child->output >= 0) close(child->output);
  child->gate = child->failure = child->output = -1;
}

int bg_termination(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  if (sigprocmask(SIG_BLOCK, &set, 0) != 0) return -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
