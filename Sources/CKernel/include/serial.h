#ifndef BAUDGATE_SERIAL_H
#define BAUDGATE_SERIAL_H
#include <stdint.h>

/* <asm/termbits.h> and <termios.h> cannot be included together, so the struct that TCGETS2 and TCSETS2 take is
   reached through these. All return 0, or -1 with errno set.
   Source: termios(3), ioctl_tty(2), TIOCGICOUNT(2const), include/uapi/asm-generic/termbits.h. */
struct bg_line_settings {
  uint32_t baud;            /* bits per second, any number but 0: BOTHER */
  uint8_t data_bits;        /* 5 to 8 */
  uint8_t stop_bits;        /* 1 or 2 */
  uint8_t parity;           /* enum bg_parity */
  uint8_t rts_cts;          /* 0 or 1 */
  uint8_t xon_xoff;         /* 0 or 1 */
  uint8_t hang_up_on_close; /* HUPCL, 0 or 1 */
};
enum bg_parity { bg_parity_none, bg_parity_even, bg_parity_odd, bg_parity_mark, bg_parity_space };

/* Puts the line into raw mode with these settings and reads back what the driver granted into `granted`.
   EINVAL for values outside the ranges above. */
int bg_serial_configure(int fd, const struct bg_line_settings *wanted, struct bg_line_settings *granted);
/* What the line is set to. */
int bg_serial_settings(int fd, struct bg_line_settings *settings);

/* Counted by the driver since it met the device; they wrap. */
struct bg_line_errors { uint32_t overrun, framing, parity, break_conditions, buffer_overrun; };
/* ENOTTY or EINVAL where the driver keeps no counters (a pty, many USB adapters). */
int bg_serial_errors(int fd, struct bg_line_errors *errors);

/* TIOCEXCL and TIOCNXCL: EBUSY for every later open(2) but a privileged one's. */
int bg_serial_set_exclusive(int fd, int exclusive);
/* TIOCGEXCL. */
int bg_serial_is_exclusive(int fd, int *exclusive);
/* Whether it is the slave of a pseudo-terminal: 1, 0, or -1. Its device numbers say so
   (Documentation/admin-guide/devices.txt: majors 136 to 143). */
int bg_serial_is_pty(int fd);

/* The kernel switches an RS-485 line's driver. Source: Documentation/driver-api/serial/serial-rs485.rst. */
struct bg_rs485 {
  uint8_t enabled;          /* 0 or 1 */
  uint8_t rts_on_send;      /* 1: RTS on while sending, off after; 0: the other way round */
  uint8_t rx_during_tx;     /* 0 or 1: hears what it sends */
  uint32_t delay_before_ms; /* the kernel takes 100 at most */
  uint32_t delay_after_ms;
};
/* TIOCSRS485. ENOTTY where the driver has no such mode. */
int bg_serial_set_rs485(int fd, const struct bg_rs485 *wanted);
/* TIOCGRS485: what the driver made of it. */
int bg_serial_rs485(int fd, struct bg_rs485 *granted);

enum bg_modem { bg_modem_dtr = 1, bg_modem_rts = 2 };
/* TIOCMBIC, then TIOCMBIS. ENOTTY where a line has no such wires (a pty), EINVAL on some drivers. */
int bg_serial_set_modem(int fd, unsigned raised, unsigned lowered);
/* TIOCMGET. */
int bg_serial_modem(int fd, unsigned *raised);

/* TIOCSSERIAL with ASYNC_LOW_LATENCY, which needs no privilege; drivers may ignore it in silence. */
int bg_serial_set_low_latency(int fd);
/* TIOCGSERIAL: whether the driver took it. */
int bg_serial_low_latency(int fd, int *low_latency);

int bg_serial_flush_input(int fd);  /* TCIFLUSH */
int bg_serial_flush_output(int fd); /* TCOFLUSH: close(2) would wait for unsent bytes, up to 30 s */
#endif
