#ifndef BAUDGATE_USB_H
#define BAUDGATE_USB_H
/* USBDEVFS_RESET on a descriptor of /dev/bus/usb/BBB/DDD: 0, or -1 with errno set. May take seconds.
   Source: Documentation/driver-api/usb/usb.rst, "The USB character device nodes". */
int bg_usb_reset(int fd);
#endif
