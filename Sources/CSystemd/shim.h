#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <systemd/sd-id128.h>

/* org.freedesktop.login1.Manager.Reboot(interactive: false); sd_bus_call_method is variadic. Blocks for `usec` at most
   while logind does not answer. `address` is NULL for the system's bus. A negative errno on failure, with the bus's
   words in `words` where it said any. */
static inline int bg_logind_reboot(const char *address, uint64_t usec, char *words, size_t size) {
  sd_bus *bus = NULL;
  sd_bus_error error = SD_BUS_ERROR_NULL;
  int result;
  words[0] = 0;
  if (!address) {
    result = sd_bus_open_system(&bus);
  } else if ((result = sd_bus_new(&bus)) >= 0) {
    result = sd_bus_set_address(bus, address);
    if (result >= 0) result = sd_bus_set_bus_client(bus, 1);
    if (result >= 0) result = sd_bus_start(bus);
  }
  if (result >= 0) {
    sd_bus_set_method_call_timeout(bus, usec);
    result = sd_bus_call_method(bus, "org.freedesktop.login1", "/org/freedesktop/login1",
                                "org.freedesktop.login1.Manager", "Reboot", &error, NULL, "b", 0);
    if (result < 0 && error.message) strncat(words, error.message, size - 1);
  }
  sd_bus_error_free(&error);
  sd_bus_flush_close_unref(bus);
  return result;
}
