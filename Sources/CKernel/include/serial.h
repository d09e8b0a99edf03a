#ifndef BAUDGATE_SERIAL_H
#define BAUDGATE_SERIAL_H
#include <stdint.h>

/* <asm/termbits.h> and <termios.h> cannot be included together, so the struct that TCGETS2/TCSETS2 take is
   reached through these. Source: termios(3), tty_ioctl(4), Documentation/driver-api/tty in the kernel. */
struct bg_line_settings {
  uint32_t baud;        /* bits per second, any number: BOTHER */
  uint8_t data_bits;    /* 5 to 8 */
  uint8_t stop_bits;    /* 1 or 2 */
  uint8_t parity;       /* enum bg_parity */
  uint8_t rts_cts;      /* 0 or 1 */
  uint8_t xon_xoff;     /* 0 or 1 */
  uint8_t hang_up_on_close; /* HUPCL, 0 or 1 */
};
enum bg_parity { bg_parity_none, bg_parity_even, bg_parity_odd, bg_parity_mark, bg_parity_space };

/* Puts the line into raw mode with these settings and reads back what the driver granted into `granted`. */
int bg_serial_configure(int fd, const struct bg_line_settings *wanted, struct bg_line_settings *granted);

struct bg_line_errors { uint64_t overrun, framing, parity, break_conditions, buffer_overrun; };
/* TIOCGICOUNT; ENOTTY or EINVAL where the driver keeps no counters (a pty, many USB adapters). */
int bg_serial_errors(int fd, struct bg_line_errors *errors);
int bg_serial_exclusive(int fd);         /* TIOCEXCL: EBUSY for every later open(2) but root's */
int bg_serial_flush_input(int fd);       /* TCIFLUSH */
int bg_serial_flush_output(int fd);      /* TCOFLUSH: close(2) would wait for unsent bytes, up to 30 s */
int bg_serial_unread(int fd, int *count);/* FIONREAD */
#endif
