#include "usb.h"
#include <linux/usbdevice_fs.h>
#include <sys/ioctl.h>

int bg_usb_reset(int fd) { return ioctl(fd, USBDEVFS_RESET); }
