// The yardstick of `make bench`: the main job of baudgated in one small C program, as plainly as it can be done well.
//
// Lines `T=<number>,H=<number>` from up to 16 ttys become telemetry on a ThingsBoard server: captured when read, one value
// of a key per millisecond, appended to a file with one write(2) per read event, sent in batches over one connection
// that stays open, and a cursor written after each 200. docs/benchmarks.md says what it leaves out.
//
//   c-gateway URL LOG CURSOR NAME=TTY...
//
// URL is the whole telemetry address, LOG and CURSOR are files, NAME becomes the prefix of a sensor's keys.
// Built by Benchmarks/run: cc -O2 gateway.c -lcurl
#include "uplink.h"

#include <math.h>

enum {
  READ_SIZE = 4096,         // bytes taken from a tty at once
  LINE_LIMIT = 256,         // longer lines are dropped
};

struct port {
  int fd;
  const char *name;
  char line[LINE_LIMIT];
  size_t used;
  bool in_line;       // false until the first line end: nothing tells a whole first line from a tail
  bool overlong;
  int64_t newest;     // the newest timestamp given out, ms
};

static struct port ports[MAX_SOURCES];
static size_t port_count;

// Appends `T=…,H=…` of a port to the ring; lines that do not fit are left out.
static void take_line(struct port *port, const char *line, int64_t now) {
  char *end;
  if (line[0] != 'T' || line[1] != '=') return;
  double temperature = strtod(line + 2, &end);
  if (end == line + 2 || strncmp(end, ",H=", 3) != 0) return;
  const char *second = end + 3;
  double humidity = strtod(second, &end);
  if (end == second || *end || !isfinite(temperature) || !isfinite(humidity)) return;

  int64_t timestamp = stamp(&port->newest, now);
  struct record *record = room();
  if (!record) return;
  char t[40], h[40];
  print_double(t, sizeof t, temperature);
  print_double(h, sizeof h, humidity);
  int length = snprintf(record->values, sizeof record->values, "{\"%s.temperature\":%s,\"%s.humidity\":%s}",
                        port->name, t, port->name, h);
  if (length >= (int)sizeof record->values) return;
  record->timestamp = timestamp;
  record->length = length;
  taken++;
}

static void read_port(size_t source) {
  struct port *port = &ports[source];
  char bytes[READ_SIZE];
  ssize_t count = read(port->fd, bytes, sizeof bytes);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) die(port->name);
  int64_t now = now_ms(CLOCK_REALTIME);
  uint64_t first = taken;
  for (char *at = bytes, *end = bytes + count; at < end;) {
    char *newline = memchr(at, '\n', end - at);
    size_t part = (newline ? newline : end) - at;
    if (port->used + part >= LINE_LIMIT) port->overlong = true;
    if (!port->overlong) memcpy(port->line + port->used, at, part), port->used += part;
    if (!newline) break;
    if (port->used && port->line[port->used - 1] == '\r') port->used--;
    port->line[port->used] = 0;
    if (port->in_line && !port->overlong) take_line(port, port->line, now);
    port->in_line = true, port->overlong = false, port->used = 0;
    at = newline + 1;
  }
  if (first < sent) first = sent;
  if (first != taken) append(first);
}

int main(int argc, char **argv) {
  if (argc < 5 || argc - 4 > MAX_SOURCES) {
    fprintf(stderr, "usage: %s URL LOG CURSOR NAME=TTY...\n", argv[0]);
    return 2;
  }
  start_uplink(argv[1], argv[2], argv[3]);
  for (int i = 4; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals) die(argv[i]);
    *equals = 0;
    struct port *port = &ports[port_count];
    port->name = argv[i];
    port->fd = open_tty(equals + 1, B115200);
    watch(port->fd, port_count++);
  }
  run(read_port);
  end_uplink();
  return 0;
}
