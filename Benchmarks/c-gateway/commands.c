// The yardstick of `make bench`'s command latency: one long poll after the other, carried out as plainly as it can be done
// well, with the same durable steps as baudgated's.
//
// A command is written down and synced before it is carried out, so that a power cut never makes it run twice; its result
// is written down and synced before it is sent. docs/benchmarks.md says what it leaves out.
//
//   c-commands URL MEMORY LINE
//
// URL is `http://HOST/api/v1/TOKEN`, MEMORY a file for what is remembered, LINE the simulated line's file.
// Built by Benchmarks/run: cc -O2 commands.c -lcurl
#define _GNU_SOURCE
#include <curl/curl.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  ANSWER_LIMIT = 64 << 10,
  SLOT = 64,
  SLOTS = 1024,
};

static char answer[ANSWER_LIMIT + 1];
static size_t answer_size;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static size_t keep(char *bytes, size_t size, size_t count, void *context) {
  (void)context;
  size_t length = size * count, room = ANSWER_LIMIT - answer_size;
  memcpy(answer + answer_size, bytes, length < room ? length : room);
  answer_size += length < room ? length : room;
  return length;
}

static CURL *handle(struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  if (!easy) die("libcurl");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
  return easy;
}

static long perform(CURL *easy) {
  long status = 0;
  answer_size = 0;
  if (curl_easy_perform(easy) != CURLE_OK) return 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  answer[answer_size] = 0;
  return status;
}

static void remember(int memory, long id, const char *state) {
  char record[SLOT] = {0};
  snprintf(record, sizeof record, "%ld %s", id, state);
  if (pwrite(memory, record, SLOT, id % SLOTS * SLOT) != SLOT || fdatasync(memory) < 0) die("memory");
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s URL MEMORY LINE\n", argv[0]);
    return 2;
  }
  int memory = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  int line = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  static char empty[SLOT * SLOTS];
  if (memory < 0 || line < 0) die("start");
  if (pwrite(memory, empty, sizeof empty, 0) != sizeof empty || fdatasync(memory) < 0) die(argv[2]);
  if (pwrite(line, "0", 1, 0) != 1) die(argv[3]);

  curl_global_init(CURL_GLOBAL_DEFAULT);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Expect:");
  CURL *poll = handle(headers), *reply = handle(headers);
  char url[1024], body[128];
  snprintf(url, sizeof url, "%s/rpc?timeout=25000", argv[1]);
  curl_easy_setopt(poll, CURLOPT_URL, url);

  for (;;) {
    if (perform(poll) != 200) continue;
    const char *id_text = strstr(answer, "\"id\":"), *value_text = strstr(answer, "\"value\":");
    if (!id_text || !value_text || !strstr(answer, "\"setGpio\"")) continue;
    long id = atol(id_text + 5), value = atol(value_text + 8);
    remember(memory, id, "started");
    if (pwrite(line, value ? "1" : "0", 1, 0) != 1) die(argv[3]);
    snprintf(body, sizeof body, "{\"pin\":\"relay\",\"value\":%ld}", value);
    remember(memory, id, body);
    snprintf(url, sizeof url, "%s/rpc/%ld", argv[1], id);
    curl_easy_setopt(reply, CURLOPT_URL, url);
    curl_easy_setopt(reply, CURLOPT_POSTFIELDS, body);
    while (perform(reply) != 200) usleep(100000);
  }
}
