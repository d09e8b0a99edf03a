#include "inotify.h"

int bg_inotify(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }
