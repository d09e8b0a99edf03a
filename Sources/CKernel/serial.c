#include "serial.h"
#include <asm/termbits.h>
#include <linux/serial.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};

int bg_serial_configure(int fd, const struct bg_line_settings *wanted, struct bg_line_settings *granted) {
  struct termios2 t;
  if (ioctl(fd, TCGETS2, &t) < 0) return -1;

  /* Raw, as cfmakeraw(3): no signal characters, no CR/LF mapping, no echo. */
  t.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON | IXOFF | IXANY | INPCK | IGNPAR);
  t.c_oflag &= ~OPOST;
  t.c_lflag &= ~(ECHO | ECHOE | ECHOK | ECHONL | ICANON | ISIG | IEXTEN | TOSTOP);
  /* A line break would otherwise arrive as a zero byte; bytes with a bad parity bit are dropped by the driver. */
  t.c_iflag |= IGNBRK;
  if (wanted->parity != bg_parity_none) t.c_iflag |= INPCK | IGNPAR;
  if (wanted->xon_xoff) t.c_iflag |= IXON | IXOFF;

  t.c_cflag &= ~(CSIZE | CSTOPB | PARENB | PARODD | CMSPAR | CRTSCTS | HUPCL | CBAUD | (CBAUD << IBSHIFT));
  t.c_cflag |= CLOCAL | CREAD | BOTHER | (BOTHER << IBSHIFT) | sizes[(wanted->data_bits - 5) & 3];
  if (wanted->stop_bits == 2) t.c_cflag |= CSTOPB;
  switch (wanted->parity) {
  case bg_parity_even: t.c_cflag |= PARENB; break;
  case bg_parity_odd: t.c_cflag |= PARENB | PARODD; break;
  case bg_parity_mark: t.c_cflag |= PARENB | PARODD | CMSPAR; break;
  case bg_parity_space: t.c_cflag |= PARENB | CMSPAR; break;
  default: break;
  }
  if (wanted->rts_cts) t.c_cflag |= CRTSCTS;
  if (wanted->hang_up_on_close) t.c_cflag |= HUPCL;
  t.c_ispeed = t.c_ospeed = wanted->baud;
  t.c_cc[VMIN] = 1;
  t.c_cc[VTIME] = 0;
  if (ioctl(fd, TCSETS2, &t) < 0) return -1;

  struct termios2 now;
  if (ioctl(fd, TCGETS2, &now) < 0) return -1;
  memset(granted, 0, sizeof *granted);
  granted->baud = now.c_ospeed;
  for (unsigned i = 0; i < 4; i++)
    if ((now.c_cflag & CSIZE) == sizes[i]) granted->data_bits = (uint8_t)(5 + i);
  granted->stop_bits = now.c_cflag & CSTOPB ? 2 : 1;
  if (now.c_cflag & PARENB)
    granted->parity = now.c_cflag & CMSPAR ? (now.c_cflag & PARODD ? bg_parity_mark : bg_parity_space)
                                           : (now.c_cflag & PARODD ? bg_parity_odd : bg_parity_even);
  granted->rts_cts = (now.c_cflag & CRTSCTS) != 0;
  granted->xon_xoff = (now.c_iflag & IXON) != 0;
  granted->hang_up_on_close = (now.c_cflag & HUPCL) != 0;
  return 0;
}

int bg_serial_errors(int fd, struct bg_line_errors *errors) {
  struct serial_icounter_struct c;
  if (ioctl(fd, TIOCGICOUNT, &c) < 0) return -1;
  errors->overrun = (uint64_t)(uint32_t)c.overrun;
  errors->framing = (uint64_t)(uint32_t)c.frame;
  errors->parity = (uint64_t)(uint32_t)c.parity;
  errors->break_conditions = (uint64_t)(uint32_t)c.brk;
  errors->buffer_overrun = (uint64_t)(uint32_t)c.buf_overrun;
  return 0;
}

int bg_serial_exclusive(int fd) { return ioctl(fd, TIOCEXCL); }
int bg_serial_flush_input(int fd) { return ioctl(fd, TCFLSH, TCIFLUSH); }
int bg_serial_flush_output(int fd) { return ioctl(fd, TCFLSH, TCOFLUSH); }
int bg_serial_unread(int fd, int *count) { return ioctl(fd, FIONREAD, count); }
