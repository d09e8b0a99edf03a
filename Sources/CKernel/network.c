#include "network.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bg_tcp_traffic(int fd, uint64_t *sent, uint64_t *received) {
  struct tcp_info info;
  socklen_t length = sizeof info;
  memset(&info, 0, sizeof info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return -1;
  *sent = info.tcpi_bytes_sent;
  *received = info.tcpi_bytes_received;
  return 0;
}
