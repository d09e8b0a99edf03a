/* A logind of a test's own: takes the name on the bus in DBUS_SYSTEM_BUS_ADDRESS, prints "ready", and for each
   Reboot(b) prints "reboot 0" or "reboot 1". Refuses as polkit would when its argument is "refuse". */
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

static int refuses;

static int reboot_was_called(sd_bus_message *message, void *context, sd_bus_error *error) {
  int interactive = -1;
  sd_bus_message_read(message, "b", &interactive);
  printf("reboot %d\n", interactive);
  fflush(stdout);
  if (refuses)
    return sd_bus_error_set(error, "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired",
                            "Interactive authentication required.");
  return sd_bus_reply_method_return(message, "");
}

static const sd_bus_vtable manager[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD("Reboot", "b", "", reboot_was_called, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int main(int argc, char **argv) {
  sd_bus *bus = NULL;
  refuses = argc > 1 && strcmp(argv[1], "refuse") == 0;
  if (sd_bus_open_system(&bus) < 0) return 1;
  if (sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", manager, NULL) < 0)
    return 1;
  if (sd_bus_request_name(bus, "org.freedesktop.login1", 0) < 0) return 1;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    int result = sd_bus_process(bus, NULL);
    if (result < 0) return 0;
    if (result == 0 && sd_bus_wait(bus, UINT64_MAX) < 0) return 0;
  }
}
