#ifndef BAUDGATE_DESCRIPTOR_H
#define BAUDGATE_DESCRIPTOR_H
/* open(2), fcntl(2) are variadic. All return -1 and set errno on failure. */
int bg_open(const char *path, int flags, unsigned int mode);
int bg_openat(int directory, const char *path, int flags, unsigned int mode);
int bg_set_nonblocking(int fd);
/* Whether the next execve(2) closes it. */
int bg_set_close_on_exec(int fd, int on);
/* A non-blocking event counter, eventfd(2). */
int bg_eventfd(void);
void bg_eventfd_signal(int fd);
void bg_eventfd_clear(int fd);
/* Names the calling thread; at most 15 bytes are kept. */
void bg_name_thread(const char *name);
#endif
