// The units on the line of `make bench`'s Modbus part: answers function 3 for every unit, at once, through a pty.
//
//   modbus-slave
//
// Prints the path of the pty that a master opens. Each line on its standard input is answered with a line: how many
// questions have been answered, and how many bytes were no question; after `mute` no further one is. Ends with its
// standard input.
// Built by Benchmarks/run: cc -O2 modbus-slave.c
#define _GNU_SOURCE
#include "modbus.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static unsigned long answered, dropped;
static bool is_mute;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static bool is_question(const uint8_t *frame) {
  return frame[1] == READ_HOLDING && frame[4] == 0 && frame[5] > 0 && frame[5] <= 125 && crc_of(frame, QUESTION) == 0;
}

static void answer(int line, const uint8_t *question) {
  uint8_t frame[3 + 2 * 125 + 2] = {question[0], READ_HOLDING, 2 * question[5]};
  size_t length = 3;
  for (unsigned i = 0; i < question[5]; i++) {
    // 0.1 V, 0.1 A, … as meters have them: three or four digits.
    uint16_t value = 2000 + (answered + 7 * i) % 500;
    frame[length++] = value >> 8, frame[length++] = value;
  }
  put_crc(frame, length), length += 2;
  if (write(line, frame, length) != (ssize_t)length) die("write");
  answered++;
}

static void serve(int line) {
  static uint8_t bytes[4096];
  static size_t used;
  ssize_t count = read(line, bytes + used, sizeof bytes - used);
  if (count <= 0) die("read");
  used += count;
  size_t at = 0;
  while (used - at >= QUESTION) {
    if (is_question(bytes + at)) {
      if (!is_mute) answer(line, bytes + at);
      at += QUESTION;
    } else {
      at++, dropped++;
    }
  }
  memmove(bytes, bytes + at, used -= at);
}

int main(void) {
  make_crc_table();
  int line = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (line < 0 || grantpt(line) < 0 || unlockpt(line) < 0) die("pty");
  // The other end stays open here, so that a master that ends does not hang the line up; without echo from the start.
  int other = open(ptsname(line), O_RDWR | O_NOCTTY | O_CLOEXEC);
  struct termios t;
  if (other < 0 || tcgetattr(other, &t) < 0) die("pty");
  cfmakeraw(&t);
  if (tcsetattr(other, TCSANOW, &t) < 0) die("pty");
  printf("%s\n", ptsname(line));
  fflush(stdout);
  struct pollfd watched[] = {{.fd = line, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  for (;;) {
    if (poll(watched, 2, -1) < 0 && errno != EINTR) die("poll");
    if (watched[0].revents) serve(line);
    if (watched[1].revents) {
      char asked[64];
      if (read(STDIN_FILENO, asked, sizeof asked) <= 0) return 0;
      is_mute = is_mute || asked[0] == 'm';
      printf("%lu %lu\n", answered, dropped);
      fflush(stdout);
    }
  }
}
