// What the yardsticks of `make bench` share: a ring of records in memory, a file they are appended to with one write(2) per
// read event, batches over one connection that stays open, a cursor written after each 200, and the loop. It is a part of
// gateway.c and modbus-master.c; docs/benchmarks.md says what it leaves out.
#define _GNU_SOURCE
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
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

#ifndef VALUES_LIMIT
#define VALUES_LIMIT 240    // bytes of one record's `{…}`
#endif

enum {
  MAX_SOURCES = 16,         // descriptors that the program itself watches
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

// Records between `sent` and `taken` are in the ring; both count from the start and never wrap.
static struct record *ring;
static uint64_t sent, taken;

static int epoll_fd, log_fd, cursor_fd, signals;
static size_t log_size;
static CURLM *multi;
static CURL *easy;
static struct curl_slist *headers;
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

static int open_tty(const char *path, speed_t speed) {
  int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) die(path);
  struct termios t;
  if (tcgetattr(fd, &t) < 0) die(path);
  cfmakeraw(&t);
  t.c_cflag = (t.c_cflag & ~(HUPCL | CRTSCTS)) | CLOCAL | CREAD;
  cfsetspeed(&t, speed);
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

// The ring

// A timestamp that comes after the newest one of the same keys: one value of a key per millisecond.
static int64_t stamp(int64_t *newest, int64_t now) {
  int64_t timestamp = now > *newest ? now : *newest + 1;
  if (timestamp > now + MAX_AHEAD_MS) timestamp = now + MAX_AHEAD_MS;
  return *newest = timestamp;
}

// Room for one more record, which is there once `taken` has gone on; NULL when it has to be left out.
static struct record *room(void) {
  if (taken - sent == RING) {
    if (in_flight) return NULL;
    sent++;  // the oldest goes
  }
  return &ring[taken % RING];
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
  struct epoll_event event = {.data.u64 = MAX_SOURCES + 1 + (uint64_t)fd};
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

// Calls back with the number of each source that can be read; returns at SIGTERM.
static void run(void (*readable)(size_t source)) {
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
      if (id < MAX_SOURCES) {
        readable(id);
      } else if (id == MAX_SOURCES) {
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) > 0) return;
      } else {
        int what = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(multi, (curl_socket_t)(id - MAX_SOURCES - 1), what, &running);
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

// Start and end

static void start_uplink(char *url, const char *log, const char *cursor) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  signals = signalfd(-1, &set, SFD_CLOEXEC);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  cursor_fd = open(cursor, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ring = malloc(RING * sizeof *ring);
  if (signals < 0 || epoll_fd < 0 || log_fd < 0 || cursor_fd < 0 || !ring) die("start");
  watch(signals, MAX_SOURCES);

  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  easy = curl_easy_init();
  if (!multi || !easy) die("libcurl");
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count_answer);
}

static void end_uplink(void) {
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  curl_global_cleanup();
}
