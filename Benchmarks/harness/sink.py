"""A device-API server that takes everything and counts what it was told to count.

Its own process, so that counting never waits for the feeder. It must not load libssl or libcurl: pages shared with
the measured program would make its PSS look smaller, hence no asyncio and no http.server.

    python3 -m harness.sink NEEDLE...

Prints its port, then serves on loopback until its standard input ends. `GET /counts` answers with a JSON array: the
requests taken, then how often each needle stood in their bodies. A GET of the device API is held as the server holds
a long poll and answered 408.
"""

import socket
import sys
import threading
from urllib.parse import parse_qs, urlsplit

HEAD_LIMIT = 64 << 10
BODY_LIMIT = 16 << 20
POLL_LIMIT = 25.0  # seconds


class Counts:
    def __init__(self, needles):
        self.needles = needles
        self.lock = threading.Lock()
        self.values = [0] * (1 + len(needles))

    def take(self, body):
        found = [1] + [body.count(needle) for needle in self.needles]
        with self.lock:
            self.values = [a + b for a, b in zip(self.values, found)]


class Connection:
    def __init__(self, stream, counts):
        self.stream = stream
        self.counts = counts
        self.bytes = bytearray()

    def more(self):
        received = self.stream.recv(256 << 10)
        if not received:
            raise ConnectionError
        self.bytes += received

    def head(self):
        while (end := self.bytes.find(b"\r\n\r\n")) < 0:
            if len(self.bytes) > HEAD_LIMIT:
                raise ConnectionError
            self.more()
        lines = bytes(self.bytes[:end]).decode("latin-1").split("\r\n")
        del self.bytes[: end + 4]
        fields = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return lines[0].split(" "), fields

    def body(self, fields):
        length = int(fields.get("content-length", "0"))
        if length > BODY_LIMIT:
            raise ConnectionError
        if fields.get("expect", "").lower() == "100-continue":
            self.stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self.bytes) < length:
            self.more()
        body = bytes(self.bytes[:length])
        del self.bytes[:length]
        return body

    def answer(self, status, body=b""):
        self.stream.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    def poll(self, target):
        asked = parse_qs(target.query).get("timeout", ["0"])[0]
        threading.Event().wait(min(POLL_LIMIT, int(asked) / 1000 if asked.isdigit() else 0))
        self.answer(b"408 Request Timeout")

    def serve(self):
        while True:
            request, fields = self.head()
            body = self.body(fields)
            target = urlsplit(request[1])
            if request[0] == "POST":
                self.counts.take(body)
                self.answer(b"200 OK")
            elif target.path == "/counts":
                self.answer(b"200 OK", b"[%s]" % ",".join(map(str, self.counts.values)).encode())
            elif target.path.endswith("/attributes"):
                self.answer(b"200 OK", b"{}")
            else:
                self.poll(target)

    def run(self):
        try:
            self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve()
        except (OSError, ValueError, IndexError):
            pass
        finally:
            self.stream.close()


def main():
    counts = Counts([needle.encode() for needle in sys.argv[1:]])
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=Connection(stream, counts).run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
