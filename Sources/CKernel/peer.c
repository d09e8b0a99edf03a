#define _GNU_SOURCE
#include "peer.h"
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

int bg_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  *gid = peer.gid;
  return 0;
}

int bg_peer_in_group(int fd, gid_t group) {
  pid_t pid;
  uid_t uid;
  gid_t primary;
  if (bg_peer_credentials(fd, &pid, &uid, &primary) < 0) return 0;
  if (primary == group) return 1;
  gid_t groups[1024];
  socklen_t length = sizeof groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0) return 0;
  for (socklen_t i = 0; i < length / sizeof groups[0]; i++)
    if (groups[i] == group) return 1;
  return 0;
}

static int address(const char *path, struct sockaddr_un *a) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof a->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(a->sun_path, path);
  return 0;
}

static int unix_socket(int flags) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0); }

static int fail(int fd) {
  int e = errno;
  close(fd);
  errno = e;
  return -1;
}

int bg_unix_listen(const char *path, int backlog) {
  struct sockaddr_un a;
  if (address(path, &a) < 0) return -1;
  int fd = unix_socket(SOCK_NONBLOCK);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, backlog) < 0) return fail(fd);
  return fd;
}

int bg_unix_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int bg_unix_connect(const char *path) {
  struct sockaddr_un a;
  if (address(path, &a) < 0) return -1;
  int fd = unix_socket(0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) return fail(fd);
  return fd;
}
