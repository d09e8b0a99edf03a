"""Starting, watching and ending children."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

STOP_LIMIT = 30.0  # seconds; the unit's TimeoutStopSec


class BenchmarkError(Exception):
    """Something other than a figure went wrong: a line lost, a child that ended by itself."""


class Child:
    """A child that never outlives the `with` block it is used in."""

    def __init__(self, argv, env=None, log=None, **options):
        self.name = os.path.basename(argv[0])
        self.log = log
        output = open(log, "ab") if log else subprocess.DEVNULL
        try:
            options = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | options
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(argv, env=env, **options)
        finally:
            if log:
                output.close()
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def check_running(self):
        if self.process.poll() is not None:
            raise BenchmarkError(f"{self.name} ended with status {self.process.returncode}\n{self.log_tail()}")

    def stop(self):
        """Ends the child as systemd would; anything but exit status 0 is an error."""
        self.check_running()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{self.name} did not stop within {STOP_LIMIT:.0f} s\n{self.log_tail()}")
        if status != 0:
            raise BenchmarkError(f"{self.name} stopped with status {status}\n{self.log_tail()}")

    def log_tail(self):
        if not self.log:
            return ""
        with open(self.log, errors="replace") as file:
            return "".join("    " + line for line in file.readlines()[-20:])


class Sink:
    """The server (harness/sink.py) and its counts."""

    def __init__(self, needles, follow=()):
        """`needles` are counted, the keys `follow` have values that count up."""
        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.child = Child(
            [sys.executable, "-B", "-m", "harness.sink", *(f"--follow={key}" for key in follow), "--", *needles],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=folder)
        self.port = int(self.child.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"
        self.stream = socket.create_connection(("127.0.0.1", self.port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def counts(self):
        """The telemetry requests taken so far, then the count of each needle."""
        return self.ask("GET", "/counts")

    def numbers(self):
        """For each followed key: the first number, the one expected next, breaks, and the first break."""
        return self.ask("GET", "/numbers")

    def traffic(self):
        """Requests, bytes received and bytes sent by kind."""
        return self.ask("GET", "/traffic")

    def ask(self, method, path, body=b""):
        self.stream.sendall(
            b"%s %s HTTP/1.1\r\nHost: sink\r\nContent-Length: %d\r\n\r\n%s"
            % (method.encode(), path.encode(), len(body), body))
        answer = self.receive_until(b"", lambda answer: b"\r\n\r\n" in answer)
        head, _, document = answer.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2].split(b"\r\n")[0])
        return json.loads(self.receive_until(document, lambda document: len(document) >= length))

    def receive_until(self, answer, is_enough):
        while not is_enough(answer):
            part = self.stream.recv(65536)
            if not part:
                raise BenchmarkError("the sink ended")
            answer += part
        return answer

    def stop(self):
        """Takes the server away: connections are refused from now on."""
        self.stream.close()
        self.child.process.stdin.close()
        self.child.process.stdout.close()
        self.child.__exit__()


class NotifySocket:
    """systemd's side of sd_notify(3): reads all along, since a full socket would block the sender."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.ready_at = None
        self.ready = threading.Event()
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        while True:
            try:
                message = self.socket.recv(4096)
            except OSError:
                return
            at = time.monotonic()
            if b"READY=1" in message.split(b"\n") and not self.ready.is_set():
                self.ready_at = at
                self.ready.set()

    def wait(self, child, limit=20.0):
        """The monotonic time of READY=1."""
        deadline = time.monotonic() + limit
        while not self.ready.wait(0.1):
            child.check_running()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{child.name} was not ready within {limit:.0f} s\n{child.log_tail()}")
        return self.ready_at

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def wait_for(what, child, condition, limit=30.0, every=0.02):
    """Waits until `condition()` is true, and no longer than `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        child.check_running()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{child.name}: {what} did not happen within {limit:.0f} s\n{child.log_tail()}")
        time.sleep(every)
