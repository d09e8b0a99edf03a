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
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_PORTS = 16,
  READ_SIZE = 4096,         // bytes taken from a tty at once
  LINE_LIMIT = 256,         // longer lines are dropped
  VALUES_LIMIT = 240,       // bytes of one record's `{…}`
  RING = 16384,             // records in memory; a power of two
  MAX_BATCH = 500,          // records in a request
  INTERVAL_MS = 1000,       // between two requests that are not full
  RETRY_MS = 1000,          // after a failed request
  LOG_LIMIT = 4 << 20,      // bytes, then the log starts anew with what is unsent
  MAX_AHEAD_MS = 1000,      // how far a timestamp may run ahead of the clock
};

struct record {
  int64_t timestamp;  // ms since 1970
  uint32_t length;
  char values[VALUES_LIMIT];
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

static struct port ports[MAX_PORTS];
static size_t port_count;

// Records between `sent` and `taken` are in the ring; both count from the start and never wrap.
static struct record *ring;
static uint64_t sent, taken;

static int epoll_fd, log_fd, cursor_fd;
static size_t log_size;
static CURLM *multi;
static CURL *easy;
static bool in_flight;
static size_t in_flight_records, answer_size;
static char body[MAX_BATCH * (VALUES_LIMIT + 48) + 2];
static int64_t curl_due = -1;      // ms, monotonic; -1: no timer
static int64_t request_due = 0;    // the next request that is not full may start then

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ms(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Ttys

static int open_tty(const char *path) {
  int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die(path);
  struct termios t;
  if (tcgetattr(fd, &t) < 0) die(path);
  cfmakeraw(&t);
  t.c_cflag = (t.c_cflag & ~(HUPCL | CRTSCTS)) | CLOCAL | CREAD;
  cfsetspeed(&t, B115200);
  if (ioctl(fd, TIOCEXCL) < 0 || tcsetattr(fd, TCSANOW, &t) < 0 || tcflush(fd, TCIFLUSH) < 0) die(path);
  return fd;
}

// Values

// A number as the server keeps it a DOUBLE: with a point, without an exponent.
static int print_double(char *to, size_t size, double value) {
  int length = snprintf(to, size, "%.15g", value);
  if (strchr(to, 'e')) length = snprintf(to, size, "%.15f", value);
  if (!strchr(to, '.') && (size_t)length + 3 < size) length += sprintf(to + length, ".0");
  return length;
}

// Appends `T=…,H=…` of a port to the ring; lines that do not fit are left out.
static void take_line(struct port *port, const char *line, int64_t now) {
  char *end;
  if (line[0] != 'T' || line[1] != '=') return;
  double temperature = strtod(line + 2, &end);
  if (end == line + 2 || strncmp(end, ",H=", 3) != 0) return;
  const char *second = end + 3;
  double humidity = strtod(second, &end);
  if (end == second || *end || !isfinite(temperature) || !isfinite(humidity)) return;

  int64_t timestamp = now > port->newest ? now : port->newest + 1;
  if (timestamp > now + MAX_AHEAD_MS) timestamp = now + MAX_AHEAD_MS;
  port->newest = timestamp;

  if (taken - sent == RING) {
    if (in_flight) return;
    sent++;  // the oldest goes
  }
  char t[40], h[40];
  print_double(t, sizeof t, temperature);
  print_double(h, sizeof h, humidity);
  struct record *record = &ring[taken % RING];
  int length = snprintf(record->values, sizeof record->values, "{\"%s.temperature\":%s,\"%s.humidity\":%s}",
                        port->name, t, port->name, h);
  if (length >= (int)sizeof record->values) return;
  record->timestamp = timestamp;
  record->length = length;
  taken++;
}

// The log

static void append(uint64_t from) {
  static char buffer[64 << 10];
  size_t used = 0;
  for (uint64_t i = from; i != taken; i++) {
    const struct record *record = &ring[i % RING];
    size_t size = 24 + record->length;
    if (used + size > sizeof buffer) {
      if (write(log_fd, buffer, used) != (ssize_t)used) die("log");
      log_size += used, used = 0;
    }
    memcpy(buffer + used, &i, 8);
    memcpy(buffer + used + 8, &record->timestamp, 8);
    memcpy(buffer + used + 16, &record->length, 4);
    memset(buffer + used + 20, 0, 4);
    memcpy(buffer + used + 24, record->values, record->length);
    used += size;
  }
  if (used && write(log_fd, buffer, used) != (ssize_t)used) die("log");
  log_size += used;
}

static void acknowledge(size_t records) {
  sent += records;
  if (pwrite(cursor_fd, &sent, sizeof sent, 0) != sizeof sent) die("cursor");
  if (log_size < LOG_LIMIT) return;
  if (ftruncate(log_fd, 0) < 0) die("log");
  log_size = 0;
  append(sent);
}

static void read_port(struct port *port) {
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

// Requests

static size_t count_answer(char *bytes, size_t size, size_t count, void *context) {
  (void)bytes, (void)context;
  answer_size += size * count;
  return size * count;
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *context, void *known) {
  (void)handle, (void)context;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event event = {.data.u64 = MAX_PORTS + 1 + (uint64_t)fd};
  if (what & CURL_POLL_IN) event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
  epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
  curl_multi_assign(multi, fd, &epoll_fd);
  return 0;
}

static int on_timer(CURLM *handle, long ms, void *context) {
  (void)handle, (void)context;
  curl_due = ms < 0 ? -1 : now_ms(CLOCK_MONOTONIC) + ms;
  return 0;
}

static void start_request(int64_t now) {
  size_t records = taken - sent > MAX_BATCH ? MAX_BATCH : taken - sent;
  char *at = body;
  *at++ = '[';
  for (uint64_t i = sent; i != sent + records; i++) {
    const struct record *record = &ring[i % RING];
    at += sprintf(at, "{\"ts\":%lld,\"values\":", (long long)record->timestamp);
    memcpy(at, record->values, record->length), at += record->length;
    *at++ = '}', *at++ = ',';
  }
  at[-1] = ']';
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)(at - body));
  in_flight = true, in_flight_records = records, answer_size = 0;
  request_due = now + INTERVAL_MS;
  curl_multi_add_handle(multi, easy);
}

static void finish_requests(void) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode result = message->data.result;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi, easy);
    in_flight = false;
    if (result == CURLE_OK && status == 200 && answer_size == 0)
      acknowledge(in_flight_records);
    else
      request_due = now_ms(CLOCK_MONOTONIC) + RETRY_MS;
  }
}

static int64_t earlier(int64_t a, int64_t b) { return a < 0 ? b : b < 0 ? a : a < b ? a : b; }

static void run(int signals) {
  bool failed_before = false;
  for (;;) {
    int running, count;
    int64_t now = now_ms(CLOCK_MONOTONIC), due = curl_due;
    if (!in_flight && taken != sent) {
      if (now >= request_due || (taken - sent >= MAX_BATCH && !failed_before))
        start_request(now), due = curl_due;
      else
        due = earlier(due, request_due);
    }
    struct epoll_event events[16];
    count = epoll_wait(epoll_fd, events, 16, due < 0 ? -1 : due > now ? (int)(due - now) : 0);
    if (count < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < count; i++) {
      uint64_t id = events[i].data.u64;
      if (id < MAX_PORTS) {
        read_port(&ports[id]);
      } else if (id == MAX_PORTS) {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) > 0) return;
      } else {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi, (curl_socket_t)(id - MAX_PORTS - 1), what, &running);
      }
    }
    if (curl_due >= 0 && now_ms(CLOCK_MONOTONIC) >= curl_due) {
      curl_due = -1;
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (in_flight) {
      uint64_t before = sent;
      finish_requests();
      if (!in_flight) failed_before = sent == before;
    }
  }
}

static void watch(int fd, uint64_t id) {
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

int main(int argc, char **argv) {
  if (argc < 5 || argc - 4 > MAX_PORTS) {
    fprintf(stderr, "usage: %s URL LOG CURSOR NAME=TTY...\n", argv[0]);
    return 2;
  }
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int signals = signalfd(-1, &set, SFD_CLOEXEC);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  log_fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  cursor_fd = open(argv[3], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ring = malloc(RING * sizeof *ring);
  if (signals < 0 || epoll_fd < 0 || log_fd < 0 || cursor_fd < 0 || !ring) die("start");
  watch(signals, MAX_PORTS);

  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  easy = curl_easy_init();
  if (!multi || !easy) die("libcurl");
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_answer);

  for (int i = 4; i < argc; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals) die(argv[i]);
    *equals = 0;
    struct port *port = &ports[port_count];
    port->name = argv[i];
    port->fd = open_tty(equals + 1);
    watch(port->fd, port_count++);
  }
  run(signals);
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return 0;
}
