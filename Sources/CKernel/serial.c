#include "serial.h"
#include <asm/termbits.h>
#include <errno.h>
#include <linux/serial.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};

static void decode(const struct termios2 *t, struct bg_line_settings *settings) {
  memset(settings, 0, sizeof *settings);
  settings->baud = t->c_ospeed;
  for (unsigned i = 0; i < 4; i++)
    if ((t->c_cflag & CSIZE) == sizes[i]) settings->data_bits = (uint8_t)(5 + i);
  settings->stop_bits = t->c_cflag & CSTOPB ? 2 : 1;
  if (t->c_cflag & PARENB)
    settings->parity = t->c_cflag & CMSPAR ? (t->c_cflag & PARODD ? bg_parity_mark : bg_parity_space)
                                           : (t->c_cflag & PARODD ? bg_parity_odd : bg_parity_even);
  settings->rts_cts = (t->c_cflag & CRTSCTS) != 0;
  settings->xon_xoff = (t->c_iflag & IXON) != 0;
  settings->hang_up_on_close = (t->c_cflag & HUPCL) != 0;
}

int bg_serial_configure(int fd, const struct bg_line_settings *wanted, struct bg_line_settings *granted) {
  if (wanted->baud == 0 || wanted->data_bits < 5 || wanted->data_bits > 8) {
    errno = EINVAL;
    return -1;
  }
  struct termios2 t;
  if (ioctl(fd, TCGETS2, &t) < 0) return -1;

  /* Raw: whatever a former user left in these three is gone, so nothing eats, maps, echoes or signals. A line break
     would arrive as a zero byte but for IGNBRK. With parity, bytes that fail the check are dropped (INPCK|IGNPAR):
     the driver counts them. */
  t.c_iflag = IGNBRK;
  t.c_oflag = 0;
  t.c_lflag = 0;
  if (wanted->parity != bg_parity_none) t.c_iflag |= INPCK | IGNPAR;
  if (wanted->xon_xoff) t.c_iflag |= IXON | IXOFF;

  /* CLOCAL: no waiting for a carrier, no hang-up when it drops. */
  t.c_cflag = CLOCAL | CREAD | BOTHER | (BOTHER << IBSHIFT) | sizes[wanted->data_bits - 5];
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
  t.c_cc[VSTART] = 0x11;
  t.c_cc[VSTOP] = 0x13;
  /* Answers success when the driver took any of it, termios(3). */
  if (ioctl(fd, TCSETS2, &t) < 0) return -1;
  return bg_serial_settings(fd, granted);
}

int bg_serial_settings(int fd, struct bg_line_settings *settings) {
  struct termios2 t;
  if (ioctl(fd, TCGETS2, &t) < 0) return -1;
  decode(&t, settings);
  return 0;
}

int bg_serial_errors(int fd, struct bg_line_errors *errors) {
  struct serial_icounter_struct c;
  memset(&c, 0, sizeof c);
  if (ioctl(fd, TIOCGICOUNT, &c) < 0) return -1;
  errors->overrun = (uint32_t)c.overrun;
  errors->framing = (uint32_t)c.frame;
  errors->parity = (uint32_t)c.parity;
  errors->break_conditions = (uint32_t)c.brk;
  errors->buffer_overrun = (uint32_t)c.buf_overrun;
  return 0;
}

int bg_serial_set_exclusive(int fd, int exclusive) { return ioctl(fd, exclusive ? TIOCEXCL : TIOCNXCL); }

int bg_serial_is_exclusive(int fd, int *exclusive) { return ioctl(fd, TIOCGEXCL, exclusive); }

int bg_serial_is_pty(int fd) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -1;
  unsigned major_number = major(status.st_rdev);
  return S_ISCHR(status.st_mode) && major_number >= 136 && major_number <= 143;
}

int bg_serial_flush_input(int fd) { return ioctl(fd, TCFLSH, TCIFLUSH); }
int bg_serial_flush_output(int fd) { return ioctl(fd, TCFLSH, TCOFLUSH); }

int bg_serial_set_rs485(int fd, const struct bg_rs485 *wanted) {
  struct serial_rs485 r, before;
  memset(&r, 0, sizeof r);
  memset(&before, 0, sizeof before);
  /* A terminating resistor that the device tree has switched in stays. */
  if (ioctl(fd, TIOCGRS485, &before) == 0) r.flags = before.flags & SER_RS485_TERMINATE_BUS;
  if (wanted->enabled) {
    r.flags |= SER_RS485_ENABLED | (wanted->rts_on_send ? SER_RS485_RTS_ON_SEND : SER_RS485_RTS_AFTER_SEND);
    if (wanted->rx_during_tx) r.flags |= SER_RS485_RX_DURING_TX;
    r.delay_rts_before_send = wanted->delay_before_ms;
    r.delay_rts_after_send = wanted->delay_after_ms;
  }
  return ioctl(fd, TIOCSRS485, &r);
}

int bg_serial_rs485(int fd, struct bg_rs485 *granted) {
  struct serial_rs485 r;
  memset(&r, 0, sizeof r);
  if (ioctl(fd, TIOCGRS485, &r) < 0) return -1;
  granted->enabled = (r.flags & SER_RS485_ENABLED) != 0;
  granted->rts_on_send = (r.flags & SER_RS485_RTS_ON_SEND) != 0;
  granted->rx_during_tx = (r.flags & SER_RS485_RX_DURING_TX) != 0;
  granted->delay_before_ms = r.delay_rts_before_send;
  granted->delay_after_ms = r.delay_rts_after_send;
  return 0;
}

static int modem_bits(unsigned lines) {
  return (lines & bg_modem_dtr ? TIOCM_DTR : 0) | (lines & bg_modem_rts ? TIOCM_RTS : 0);
}

int bg_serial_set_modem(int fd, unsigned raised, unsigned lowered) {
  int up = modem_bits(raised), down = modem_bits(lowered);
  if (down != 0 && ioctl(fd, TIOCMBIC, &down) < 0) return -1;
  return up != 0 ? ioctl(fd, TIOCMBIS, &up) : 0;
}

int bg_serial_modem(int fd, unsigned *raised) {
  int bits = 0;
  if (ioctl(fd, TIOCMGET, &bits) < 0) return -1;
  *raised = (bits & TIOCM_DTR ? (unsigned)bg_modem_dtr : 0) | (bits & TIOCM_RTS ? (unsigned)bg_modem_rts : 0);
  return 0;
}

int bg_serial_set_low_latency(int fd) {
  struct serial_struct s;
  memset(&s, 0, sizeof s);
  if (ioctl(fd, TIOCGSERIAL, &s) < 0) return -1;
  if (s.flags & ASYNC_LOW_LATENCY) return 0;
  s.flags |= ASYNC_LOW_LATENCY;
  return ioctl(fd, TIOCSSERIAL, &s);
}

int bg_serial_low_latency(int fd, int *low_latency) {
  struct serial_struct s;
  memset(&s, 0, sizeof s);
  if (ioctl(fd, TIOCGSERIAL, &s) < 0) return -1;
  *low_latency = (s.flags & ASYNC_LOW_LATENCY) != 0;
  return 0;
}
