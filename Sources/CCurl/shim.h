/* libcurl's setters are variadic, which Swift cannot call: one typed wrapper per argument type. */
#ifndef BAUDGATE_CCURL_H
#define BAUDGATE_CCURL_H
#include <curl/curl.h>
#include <sys/socket.h>

static inline CURLcode bg_easy_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode bg_easy_set_off_t(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode bg_easy_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode bg_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}
typedef size_t (*bg_data_callback)(char *, size_t, size_t, void *);
static inline CURLcode bg_easy_set_data_callback(CURL *easy, CURLoption option, bg_data_callback callback) {
  return curl_easy_setopt(easy, option, callback);
}
typedef int (*bg_before_request)(void *, char *, char *, int, int);
static inline CURLcode bg_easy_set_before_request(CURL *easy, bg_before_request callback) {
  return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}
static inline CURLcode bg_easy_set_open_socket(CURL *easy, curl_opensocket_callback callback) {
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}
static inline CURLcode bg_easy_set_close_socket(CURL *easy, curl_closesocket_callback callback) {
  return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, callback);
}
static inline CURLcode bg_easy_get_long(CURL *easy, CURLINFO info, long *value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode bg_easy_get_off_t(CURL *easy, CURLINFO info, curl_off_t *value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode bg_easy_get_pointer(CURL *easy, CURLINFO info, void **value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLMcode bg_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode bg_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
  return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode bg_multi_set_socket_callback(CURLM *multi, curl_socket_callback callback) {
  return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}
static inline CURLMcode bg_multi_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback) {
  return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}
/* CURLMsg.data is a union of a pointer and the result. */
static inline CURLcode bg_message_result(const CURLMsg *message) { return message->data.result; }

static inline int bg_open_socket(const struct curl_sockaddr *address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static const int bg_request_goes_on = CURL_PREREQFUNC_OK;
static const int bg_request_ends = CURL_PREREQFUNC_ABORT;
/* Options that are macros of unsigned or cast expressions, which the importer skips. */
static const long bg_global_all = CURL_GLOBAL_ALL;
#endif
