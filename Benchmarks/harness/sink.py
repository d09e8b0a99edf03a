"""A device-API server that takes everything and counts what it was told to count.

Its own process, so that counting never waits for the feeder. It must not load libssl or libcurl: pages shared with
the measured program would make its PSS look smaller, hence no asyncio and no http.server.

    python3 -m harness.sink [--follow KEY]... NEEDLE...

Prints its port, then serves on loopback until its standard input ends:

- `GET /counts`: a JSON array: the telemetry requests taken, then how often each needle stood in their bodies.
- `GET /numbers`: for each KEY, whose values are numbers that count up: the first one, the one expected next, how often
  another than the expected one came, and what was expected and came the first time: `{"s0.n":[17,9310,0,null]}`.
- `GET /traffic`: for each kind of request how many there were, their bytes and the answers', headers included, and the
  monotonic second of the last one: `{"rpc poll":[3,410,96,5301.2]}`.
- `GET /idle`: held until an `rpc` poll is open.
- `POST /command`: a server-side RPC, its body the method and params. It is handed to every open `rpc` poll, or to the
  next one. Answers with its number.
- `GET /command/N`: held until that command is answered: `[handed,answered]`, in monotonic nanoseconds. Nothing is asked
  meanwhile: it would be in the way of what is measured.

What is held is answered `null` after ten seconds.

Every other GET of the device API is held as the server holds a long poll and answered 408.
"""

import argparse
import json
import re
import socket
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit

HEAD_LIMIT = 64 << 10
BODY_LIMIT = 16 << 20
POLL_LIMIT = 25.0  # seconds
HOLD_LIMIT = 10.0  # seconds


class Counts:
    def __init__(self, needles):
        self.needles = needles
        self.lock = threading.Lock()
        self.values = [0] * (1 + len(needles))

    def take(self, body):
        found = [1] + [body.count(needle) for needle in self.needles]
        with self.lock:
            self.values = [a + b for a, b in zip(self.values, found)]


class Numbers:
    """Follows what counts up: nothing is missing, twice or out of order as long as each value is the expected one."""

    def __init__(self, keys):
        self.pattern = re.compile(b'"(%s)":(\\d+)' % b"|".join(re.escape(key.encode()) for key in keys)) if keys else None
        self.lock = threading.Lock()
        self.seen = {key: [None, 0, 0, None] for key in keys}

    def take(self, body):
        if not self.pattern:
            return
        with self.lock:
            for key, digits in self.pattern.findall(body):
                entry, number = self.seen[key.decode()], int(digits)
                if entry[0] is None:
                    entry[0] = entry[1] = number
                if number != entry[1]:
                    entry[2] += 1
                    entry[3] = entry[3] or [entry[1], number]
                entry[1] = number + 1


class Commands:
    """Server-side RPC: every open poll is handed each command, and what came while none was open waits."""

    def __init__(self):
        self.change = threading.Condition()
        self.newest = -1
        self.body = b""
        self.waiting = 0
        self.is_pending = False
        self.times = {}

    def send(self, body):
        with self.change:
            self.newest += 1
            self.body = b'{"id":%d,%s' % (self.newest, body.strip().removeprefix(b"{"))
            self.times[self.newest] = [None, None]
            self.is_pending = self.waiting == 0
            self.change.notify_all()
            return self.newest

    def wait(self, seconds):
        """The next command's number and body; `None` at the poll's end."""
        with self.change:
            before = self.newest
            if self.is_pending:
                self.is_pending = False
                return self.newest, self.body
            self.waiting += 1
            self.change.notify_all()
            arrived = self.change.wait_for(lambda: self.newest != before, seconds)
            self.waiting -= 1
            return (self.newest, self.body) if arrived else None

    def handed(self, number):
        self.times[number][0] = self.times[number][0] or time.monotonic_ns()

    def answered(self, number):
        now = time.monotonic_ns()
        with self.change:
            if number in self.times:
                self.times[number][1] = self.times[number][1] or now
                self.change.notify_all()

    def hold(self, condition):
        """What `condition` gives as soon as it is something; `None` when it takes too long."""
        with self.change:
            return self.change.wait_for(condition, HOLD_LIMIT) or None

    def wait_for_poll(self):
        return self.hold(lambda: self.waiting)

    def wait_for_answer(self, number):
        return self.hold(lambda: all(self.times.get(number, [None])) and self.times[number])


class Traffic:
    """Requests and bytes of each kind."""

    def __init__(self):
        self.lock = threading.Lock()
        self.kinds = {}

    def add(self, kind, requests=0, received=0, sent=0):
        with self.lock:
            entry = self.kinds.setdefault(kind, [0, 0, 0, 0.0])
            entry[0] += requests
            entry[1] += received
            entry[2] += sent
            if requests:
                entry[3] = time.monotonic()


def kind_of(method, path):
    path = re.sub(r"/rpc/\d+$", "/reply", path)
    last = path.rpartition("/")[2]
    return {"rpc": "rpc call" if method == "POST" else "rpc poll", "updates": "attribute poll",
            "attributes": "attributes" if method == "POST" else "attribute read"}.get(last, last)


class Connection:
    def __init__(self, stream, server):
        self.stream = stream
        self.counts, self.numbers, self.commands, self.traffic = server
        self.bytes = bytearray()
        self.taken = 0
        self.kind = ""

    def more(self):
        received = self.stream.recv(256 << 10)
        if not received:
            raise ConnectionError
        self.bytes += received
        self.taken += len(received)

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
        answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
        self.stream.sendall(answer)
        self.traffic.add(self.kind, sent=len(answer))

    def poll(self, target):
        asked = parse_qs(target.query).get("timeout", ["0"])[0]
        limit = min(POLL_LIMIT, int(asked) / 1000 if asked.isdigit() else 0)
        if not target.path.endswith("/rpc"):
            threading.Event().wait(limit)
        elif command := self.commands.wait(limit):
            self.commands.handed(command[0])
            return self.answer(b"200 OK", command[1])
        self.answer(b"408 Request Timeout")

    def post(self, target, body):
        if target.path == "/command":
            return self.answer(b"200 OK", b"%d" % self.commands.send(body))
        if reply := re.search(r"/rpc/(\d+)$", target.path):
            self.commands.answered(int(reply[1]))
        elif self.kind == "telemetry":
            self.counts.take(body)
            self.numbers.take(body)
        self.answer(b"200 OK")

    def serve(self):
        while True:
            request, fields = self.head()
            body = self.body(fields)
            target = urlsplit(request[1])
            self.kind = kind_of(request[0], target.path)
            # What is behind this request belongs to the next one.
            self.traffic.add(self.kind, 1, self.taken - len(self.bytes))
            self.taken = len(self.bytes)
            if request[0] == "POST":
                self.post(target, body)
            elif target.path == "/counts":
                self.answer(b"200 OK", json.dumps(self.counts.values).encode())
            elif target.path == "/numbers":
                self.answer(b"200 OK", json.dumps(self.numbers.seen).encode())
            elif target.path == "/traffic":
                self.answer(b"200 OK", json.dumps(self.traffic.kinds).encode())
            elif target.path == "/idle":
                self.answer(b"200 OK", json.dumps(self.commands.wait_for_poll()).encode())
            elif command := re.fullmatch(r"/command/(\d+)", target.path):
                self.answer(b"200 OK", json.dumps(self.commands.wait_for_answer(int(command[1]))).encode())
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--follow", action="append", default=[])
    parser.add_argument("needles", nargs="*")
    asked = parser.parse_args()
    server = (Counts([needle.encode() for needle in asked.needles]), Numbers(asked.follow), Commands(), Traffic())
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=Connection(stream, server).run, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
