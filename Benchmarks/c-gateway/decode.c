// The yardstick of `make bench`'s decoding part: lines cut and their two numbers parsed, or the answers of a Modbus unit
// found, checked and made 20 doubles of, from memory and without anything done with them. The same work as `baudgate-bench`.
//
//   c-decode template|csv|modbus SECONDS
//
// Prints how many lines or answers there were, their bytes, and the seconds of CPU they took.
// Built by Benchmarks/run: cc -O2 decode.c
#define _GNU_SOURCE
#include "modbus.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
  LINES = 400,
  PIECE = 512,          // bytes a read delivers: a packet of high-speed USB
  LINE_LIMIT = 1024,
  ROUNDS = 64,          // between two looks at the clock
};

struct sample {
  int64_t timestamp;
  unsigned count;
  struct {
    unsigned key;
    double value;
  } readings[REGISTERS];
};

static struct sample samples[PIECE];
static size_t sample_count;
static unsigned long items, bytes;

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

// Lines

static const char *head, *middle;

static void take_line(const char *line) {
  char *end;
  size_t first = strlen(head), second = strlen(middle);
  if (strncmp(line, head, first) != 0) return;
  double temperature = strtod(line + first, &end);
  if (end == line + first || strncmp(end, middle, second) != 0) return;
  const char *rest = end + second;
  double humidity = strtod(rest, &end);
  if (end == rest || *end || !isfinite(temperature) || !isfinite(humidity)) return;
  struct sample *sample = &samples[sample_count++];
  sample->timestamp = 1, sample->count = 2;
  sample->readings[0].key = 0, sample->readings[0].value = temperature;
  sample->readings[1].key = 1, sample->readings[1].value = humidity;
}

static void feed(const char *at, size_t count) {
  static char line[LINE_LIMIT];
  static size_t used;
  for (const char *end = at + count; at < end;) {
    const char *newline = memchr(at, '\n', end - at);
    size_t part = (newline ? newline : end) - at;
    if (used + part >= LINE_LIMIT) used = part = 0;
    memcpy(line + used, at, part), used += part;
    if (!newline) break;
    line[used] = 0, used = 0;
    take_line(line);
    at = newline + 1;
  }
}

static void decode_lines(void) {
  static char text[LINES * 64];
  static size_t size;
  if (!size)
    for (int i = 0; i < LINES; i++)
      size += sprintf(text + size, "%s%d.%d%s%d.%d\n", head, 20 + i / 10 % 10, i % 10, middle, 40 + i % 50, i / 3 % 10);
  for (size_t at = 0; at < size; at += PIECE) {
    sample_count = 0;
    feed(text + at, size - at < PIECE ? size - at : PIECE);
    items += sample_count;
  }
  bytes += size;
}

// Modbus

static bool take_answer(const uint8_t *frame, size_t count) {
  if (count != ANSWER || frame[0] != 1 || frame[1] != READ_HOLDING || frame[2] != 2 * REGISTERS) return false;
  if (crc_of(frame, ANSWER) != 0) return false;
  struct sample *sample = &samples[0];
  sample->timestamp = 1, sample->count = REGISTERS;
  for (unsigned i = 0; i < REGISTERS; i++) {
    sample->readings[i].key = i;
    sample->readings[i].value = (frame[3 + 2 * i] << 8 | frame[4 + 2 * i]) / 10.0;
  }
  return true;
}

uint8_t question[QUESTION] = {1, READ_HOLDING, 0, 0, 0, REGISTERS};  // not static: it is made each time

static void decode_answer(void) {
  static uint8_t frame[ANSWER] = {1, READ_HOLDING, 2 * REGISTERS};
  if (!frame[3]) {
    for (unsigned i = 0; i < REGISTERS; i++) {
      uint16_t value = 2000 + 7 * i;
      frame[3 + 2 * i] = value >> 8, frame[4 + 2 * i] = value;
    }
    put_crc(frame, ANSWER - 2);
  }
  put_crc(question, QUESTION - 2);
  items += take_answer(frame, sizeof frame);
  bytes += sizeof frame;
}

int main(int argc, char **argv) {
  void (*round)(void) = decode_lines;
  double limit = argc == 3 ? atof(argv[2]) : 0;
  if (argc == 3 && strcmp(argv[1], "template") == 0) {
    head = "T=", middle = ",H=";
  } else if (argc == 3 && strcmp(argv[1], "csv") == 0) {
    head = "", middle = ",";
  } else if (argc == 3 && strcmp(argv[1], "modbus") == 0) {
    round = decode_answer;
  } else {
    limit = 0;
  }
  if (limit <= 0) {
    fprintf(stderr, "usage: %s template|csv|modbus SECONDS\n", argv[0]);
    return 2;
  }
  make_crc_table();
  round();
  items = bytes = 0;
  double start = cpu_seconds();
  do {
    for (int i = 0; i < ROUNDS; i++) round();
  } while (cpu_seconds() - start < limit);
  printf("%lu %lu %.6f\n", items, bytes, cpu_seconds() - start);
  return 0;
}
