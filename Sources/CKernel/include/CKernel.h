/* What the Swift importer cannot see: ioctl numbers, termios2, pidfd-era helpers. No policy here. */
#ifndef BAUDGATE_CKERNEL_H
#define BAUDGATE_CKERNEL_H
#include "crc32c.h"
#include "descriptor.h"
#include "detached.h"
#include "gated.h"
#include "gpio.h"
#include "heap.h"
#include "inotify.h"
#include "mapping.h"
#include "network.h"
#include "notify.h"
#include "peer.h"
#include "process.h"
#include "serial.h"
#include "usb.h"
#include "wait.h"
#endif
