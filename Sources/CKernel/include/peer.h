#ifndef BAUDGATE_PEER_H
#define BAUDGATE_PEER_H
#include <sys/types.h>
/* Who is at the other end of a unix socket: SO_PEERCRED, unix(7). */
int bg_peer_credentials(int fd, pid_t *pid, uid_t *uid, gid_t *gid);
/* 1 when the peer is in the group, by its primary or a supplementary one (SO_PEERGROUPS, Linux 4.13); else 0. */
int bg_peer_in_group(int fd, gid_t group);
/* A listening unix socket at `path`, which must be free; -1 and errno on failure. */
int bg_unix_listen(const char *path, int backlog);
int bg_unix_accept(int fd);
int bg_unix_connect(const char *path);
#endif
