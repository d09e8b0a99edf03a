#define _GNU_SOURCE
#include "mapping.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t mapping_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile uintptr_t mapping_start, mapping_end, mapping_page;
static volatile sig_atomic_t mapping_failed;

/* Puts an empty page in the place of one that cannot be read, so that the reader goes on; what it finds no longer counts. */
static void page_is_missing(int signal_number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  if (address >= mapping_start && address < mapping_end) {
    void *page = (void *)(address & ~(mapping_page - 1));
    if (mmap(page, mapping_page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
      mapping_failed = 1;
      errno = saved;
      return;
    }
  }
  /* Somebody else's: the instruction is run again and ends the process as it would have. */
  signal(signal_number, SIG_DFL);
  errno = saved;
}

static int read_guarded(void *bytes, size_t count, bg_bytes_reader reader, void *context) {
  struct sigaction guard = {.sa_sigaction = page_is_missing, .sa_flags = SA_SIGINFO};
  struct sigaction before;
  sigset_t bus, mask;
  sigemptyset(&guard.sa_mask);
  sigemptyset(&bus);
  sigaddset(&bus, SIGBUS);
  mapping_page = (uintptr_t)sysconf(_SC_PAGESIZE);
  mapping_start = (uintptr_t)bytes;
  mapping_end = (mapping_start + count + mapping_page - 1) & ~(mapping_page - 1);
  mapping_failed = 0;
  if (sigaction(SIGBUS, &guard, &before) < 0) return -1;
  /* A blocked SIGBUS that a read has caused ends the process. */
  pthread_sigmask(SIG_UNBLOCK, &bus, &mask);
  int result = reader(context, bytes, count);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  sigaction(SIGBUS, &before, NULL);
  mapping_start = mapping_end = 0;
  if (mapping_failed) {
    errno = EIO;
    return -1;
  }
  return result;
}

int bg_read_mapped(int fd, size_t count, bg_bytes_reader reader, void *context) {
  /* mmap(2) maps no empty range. */
  if (count == 0) return reader(context, "", 0);
  void *bytes = mmap(NULL, count, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return -1;
  madvise(bytes, count, MADV_SEQUENTIAL);
  pthread_mutex_lock(&mapping_lock);
  int result = read_guarded(bytes, count, reader, context);
  int cause = errno;
  pthread_mutex_unlock(&mapping_lock);
  munmap(bytes, count);
  errno = cause;
  return result;
}
