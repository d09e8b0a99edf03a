#ifndef BAUDGATE_INOTIFY_H
#define BAUDGATE_INOTIFY_H
/* inotify(7): its calls and constants as the C library has them. */
#include <sys/inotify.h>
/* A non-blocking instance; -1 with errno set. */
int bg_inotify(void);
#endif
