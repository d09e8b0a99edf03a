#ifndef BAUDGATE_NETWORK_H
#define BAUDGATE_NETWORK_H
#include <stdint.h>
/* What a TCP connection has carried so far, TLS included, TCP/IP headers not: TCP_INFO, tcp(7).
   -1 for another kind of socket. */
int bg_tcp_traffic(int fd, uint64_t *sent, uint64_t *received);
#endif
