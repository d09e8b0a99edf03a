// The yardstick of `make bench`'s Modbus part: a master that reads 20 registers of one unit after the other, as fast as the
// standard's silence lets it, and makes one record of each answer, which goes the way of gateway.c's.
//
//   c-modbus-master URL LOG CURSOR TTY UNITS
//
// UNITS are 1 to that number; the keys of unit 1 are m1.r0 to m1.r19, 0.1 each. docs/benchmarks.md says what it leaves out.
// Built by Benchmarks/run: cc -O2 modbus-master.c -lcurl
#define VALUES_LIMIT 512
#include "uplink.h"

#include "modbus.h"

#include <sys/timerfd.h>

enum {
  SILENCE_NS = 1750 * 1000,         // before each frame, above 19,200 baud
  TIMEOUT_NS = 300 * 1000 * 1000,
  MAX_UNITS = 247,
  LINE = 0,                         // sources of the loop
  TIMER = 1,
};

static int line, timer;
static unsigned units, unit;        // the one that is asked counts from 1
static bool is_waiting;             // for an answer; else for the silence to be over
static uint8_t frame[256];
static size_t used;
static int64_t newest[MAX_UNITS + 1];

static void arm(long ns) {
  struct itimerspec when = {.it_value.tv_nsec = ns};
  if (timerfd_settime(timer, 0, &when, NULL) < 0) die("timerfd_settime");
}

static void ask(void) {
  uint8_t question[QUESTION] = {0, READ_HOLDING, 0, 0, 0, REGISTERS};
  unit = unit % units + 1;
  question[0] = unit;
  put_crc(question, QUESTION - 2);
  if (write(line, question, sizeof question) != sizeof question) die("tty");
  is_waiting = true, used = 0;
  arm(TIMEOUT_NS);
}

static void record(int64_t now) {
  int64_t timestamp = stamp(&newest[unit], now);
  struct record *record = room();
  if (!record) return;
  uint64_t first = taken;
  char *at = record->values;
  *at++ = '{';
  for (unsigned i = 0; i < REGISTERS; i++) {
    at += sprintf(at, "\"m%u.r%u\":", unit, i);
    at += print_double(at, 40, (frame[3 + 2 * i] << 8 | frame[4 + 2 * i]) / 10.0);
    *at++ = ',';
  }
  at[-1] = '}';
  record->timestamp = timestamp;
  record->length = at - record->values;
  taken++;
  append(first);
}

static void read_line(void) {
  uint8_t bytes[256];
  ssize_t count = read(line, bytes, sizeof bytes);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) die("tty");
  if (!is_waiting) return;
  for (ssize_t i = 0; i < count; i++) {
    // An answer's length is known; a byte that cannot begin one is dropped.
    if (used == 0 && bytes[i] != unit) continue;
    frame[used++] = bytes[i];
    if (used < ANSWER) continue;
    if (frame[1] == READ_HOLDING && frame[2] == 2 * REGISTERS && crc_of(frame, ANSWER) == 0) {
      record(now_ms(CLOCK_REALTIME));
      is_waiting = false;
      arm(SILENCE_NS);
      return;
    }
    memmove(frame, frame + 1, --used);
  }
}

static void readable(size_t source) {
  uint64_t ticks;
  if (source == LINE)
    read_line();
  else if (read(timer, &ticks, sizeof ticks) > 0)
    ask();  // after the silence, or the next one where no answer came
}

int main(int argc, char **argv) {
  if (argc != 6 || atoi(argv[5]) < 1 || atoi(argv[5]) > MAX_UNITS) {
    fprintf(stderr, "usage: %s URL LOG CURSOR TTY UNITS\n", argv[0]);
    return 2;
  }
  make_crc_table();
  start_uplink(argv[1], argv[2], argv[3]);
  units = atoi(argv[5]);
  line = open_tty(argv[4], B4000000);
  timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer < 0) die("timerfd_create");
  watch(line, LINE);
  watch(timer, TIMER);
  arm(SILENCE_NS);
  run(readable);
  end_uplink();
  return 0;
}
