"""The far end of a USB serial adapter: what a sensor says and what it is told."""

import socket
import threading
import time


class Adapter:
    """An FTDI adapter of QEMU's, 0403:6001, with a serial number of its own; unplugged at first.

    - Parameter name: Also its serial number, where no other is given.
    """

    def __init__(self, machine, name, serial=None):
        self._machine, self.name, self._serial = machine, name, serial or name
        self._socket = None
        self._received = b""
        self._lock = threading.Lock()
        self._path = machine.chardev(f"line-{name}")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(self._path)
        threading.Thread(target=self._read, daemon=True).start()

    def plug(self, port):
        """Into a port of the machine: `1`, or `1.2` for the second of a hub in the first."""
        self._machine.qmp.device("usb-serial", id=self.name, bus="usb.0", port=port, chardev=f"line-{self.name}",
                                 serial=self._serial, **{"always-plugged": True})

    def unplug(self):
        self._machine.unplug(self.name)

    def say(self, text):
        """Bytes toward the machine; waits while the adapter's buffer is full, some seconds at most."""
        self._socket.settimeout(10)
        try:
            self._socket.sendall(text.encode())
        except OSError:
            pass

    def heard(self):
        """All that came from the machine, as text."""
        with self._lock:
            return self._received.decode(errors="replace")

    def close(self):
        self._socket.close()

    def _read(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self._received += data


class Talker:
    """A sensor that counts: a line `n=1` and so on every `interval` seconds, each with the time it was sent."""

    def __init__(self, adapter, first=1, interval=0.1, line="n={n}\n"):
        self._adapter, self._interval, self._line = adapter, interval, line
        # number → time.monotonic()
        self.sent = {}
        self._next = first
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def next(self):
        return self._next

    def stop(self):
        """Returns the number after the last one."""
        self._stop.set()
        self._thread.join(15)
        return self._next

    def _run(self):
        while not self._stop.wait(self._interval):
            self._adapter.say(self._line.format(n=self._next))
            self.sent[self._next] = time.monotonic()
            self._next += 1
