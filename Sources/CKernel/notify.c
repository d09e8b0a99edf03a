#define _GNU_SOURCE
#include "notify.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int bg_notify(const char *path, const char *text, size_t length, int fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t size = strlen(path);
  if ((path[0] != '/' && path[0] != '@') || size < 2) {
    errno = EAFNOSUPPORT;
    return -1;
  }
  if (size >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(address.sun_path, path, size);
  if (path[0] == '@') address.sun_path[0] = 0;

  struct iovec part = {.iov_base = (void *)text, .iov_len = length};
  /* Aligned as in cmsg(3). */
  union {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {
      .msg_name = &address,
      .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/' ? 1 : 0)),
      .msg_iov = &part,
      .msg_iovlen = 1,
  };
  if (fd >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sender < 0) return -1;
  ssize_t sent;
  do sent = sendmsg(sender, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  int error = errno;
  close(sender);
  errno = error;
  return sent < 0 ? -1 : 0;
}

int bg_notify_barrier(const char *path, int milliseconds) {
  static const char text[] = "BARRIER=1";
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  int result = bg_notify(path, text, sizeof text - 1, ends[1]);
  int error = errno;
  close(ends[1]);
  if (result == 0) {
    /* The manager closes its end once it has come to this message. */
    struct pollfd entry = {.fd = ends[0], .events = 0};
    do result = poll(&entry, 1, milliseconds);
    while (result < 0 && errno == EINTR);
    error = result == 0 ? ETIMEDOUT : errno;
    result = result > 0 ? 0 : -1;
  }
  close(ends[0]);
  errno = error;
  return result;
}
