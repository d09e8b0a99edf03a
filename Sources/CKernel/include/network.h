#ifndef BAUDGATE_NETWORK_H
#define BAUDGATE_NETWORK_H
#include <stdint.h>
/* What a TCP connection has carried so far, TLS included, TCP/IP headers not: TCP_INFO, tcp(7).
   -1 for another kind of socket. */
int bg_tcp_traffic(int fd, uint64_t *sent, uint64_t *received);

/* Makes the kernel end a connection whose peer is gone: TCP_USER_TIMEOUT for what was sent, keep-alive probes where
   nothing is; tcp(7). No probes with idle 0. -1 with errno. */
int bg_tcp_watch_peer(int fd, unsigned user_timeout_ms, int idle_s, int interval_s, int probes);

/* TCP_NODELAY, and how many bytes the kernel holds at about most that the peer has not taken (SO_SNDBUF, which it
   doubles); tcp(7), socket(7). -1 with errno. */
int bg_tcp_send_at_once(int fd, int send_buffer);

/* SO_ERROR: how a connection under way has ended, 0 or an error number; -1 with errno. */
int bg_socket_error(int fd);
#endif
