#define _GNU_SOURCE
#include "process.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

int bg_pidfd_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int bg_spawn(char *const arguments[], char *const environment[], pid_t *process, int *output) {
  int ends[2], result;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;

  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  sigemptyset(&none);
  sigfillset(&all);

  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  result = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!result) result = posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  if (!result) result = posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
  if (!result) result = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!result) result = posix_spawn_file_actions_addchdir_np(&actions, "/");
  if (!result) {
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    result = posix_spawn(process, arguments[0], &actions, &attributes, arguments, environment);
  }
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (result) close(ends[0]); else *output = ends[0];
  return result;
}
