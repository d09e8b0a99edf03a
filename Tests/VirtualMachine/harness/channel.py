"""Lines of JSON over a unix socket: what QMP and the guest agent have in common."""

import json
import socket
import time


class ChannelError(Exception):
    """The other side is gone, silent or said no."""


class Channel:
    def __init__(self, path, within=10.0):
        self._socket = socket.socket(socket.AF_UNIX)
        self._rest = b""
        end = time.monotonic() + within
        while True:
            try:
                self._socket.connect(path)
                return
            except OSError as error:
                if time.monotonic() > end:
                    raise ChannelError(f"nothing answers at {path}: {error}") from error
                time.sleep(0.02)

    def send(self, document, prefix=b""):
        try:
            self._socket.sendall(prefix + json.dumps(document).encode() + b"\n")
        except OSError as error:
            raise ChannelError(f"the channel is closed: {error}") from error

    def receive(self, within):
        """The next document; `None` where none came in time. What is no JSON is passed over."""
        end = time.monotonic() + within
        while True:
            line, separator, rest = self._rest.partition(b"\n")
            if separator:
                self._rest = rest
                try:
                    return json.loads(line.lstrip(b"\xff"))
                except ValueError:
                    continue
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except socket.timeout:
                return None
            except OSError as error:
                raise ChannelError(f"the channel is closed: {error}") from error
            if not data:
                raise ChannelError("the other side has closed the channel")
            self._rest += data

    def close(self):
        self._socket.close()
