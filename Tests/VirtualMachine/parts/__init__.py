"""The parts, in the order they run: each a module with `WHAT` and `run(bench, checks)`."""

from . import clock, gpio, network, package, power_cut, power_cut_control, sensors, service, usb, watchdog

ALL = {
    "service": service,
    "watchdog": watchdog,
    "package": package,
    "usb": usb,
    "gpio": gpio,
    "sensors": sensors,
    "network": network,
    "clock": clock,
    "power-cut": power_cut,
}
# Expected to show losses: proof that the part before can fail.
ON_DEMAND = {"power-cut-control": power_cut_control}
