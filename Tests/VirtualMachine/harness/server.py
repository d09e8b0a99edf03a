"""`baudgate-simulator server` on the host's loopback, and what its control paths tell. See docs/simulator.md."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request

TOKEN = "VM_TEST_TOKEN"


class ServerError(Exception):
    pass


class Server:
    def __init__(self, program, log):
        self._log = log
        self._output = open(log, "w")
        self._process = subprocess.Popen([program, "server", "--port", "0", "--token", TOKEN], stdout=self._output,
                                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        self.port = self._wait_for_port()
        self._base = f"http://127.0.0.1:{self.port}/api"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def values(self, key):
        """All stored values of a key, oldest first: pairs of milliseconds and text."""
        path = f"/plugins/telemetry/{TOKEN}/values/timeseries?keys={key}&startTs=0&endTs={1 << 62}&limit=1000000"
        entries = json.loads(self._ask("GET", path)[1]).get(key, [])
        return [(entry["ts"], entry["value"]) for entry in reversed(entries)]

    def latest(self, key):
        """The newest value's text; `None` without one."""
        entries = json.loads(self._ask("GET", f"/plugins/telemetry/{TOKEN}/values/timeseries?keys={key}")[1])
        return entries[key][0]["value"] if key in entries else None

    def attributes(self):
        """Client attributes by name."""
        entries = json.loads(self._ask("GET", f"/plugins/telemetry/{TOKEN}/values/attributes")[1])
        return {entry["key"]: entry["value"] for entry in entries if entry["scope"] == "CLIENT_SCOPE"}

    def command(self, method, params, within=30.0):
        """The device's reply; `None` where none came in time."""
        body = json.dumps({"method": method, "params": params, "timeout": int(within * 1000)}).encode()
        status, text = self._ask("POST", f"/rpc/twoway/{TOKEN}", body, within + 10)
        if status == 408:
            return None
        if status != 200:
            raise ServerError(f"{method}: the server answered {status}: {text[:200]}")
        return json.loads(text)

    def assign(self, kind, title, version, data, checksum):
        path = f"/packages/{TOKEN}/{kind}?title={title}&version={version}&checksum={checksum}"
        status, text = self._ask("POST", path, data)
        if status != 200:
            raise ServerError(f"assigning a package: {status} {text}")

    def wait(self, condition, within=30.0, pause=0.1):
        """Until `condition()` is true; whether it came to be."""
        end = time.monotonic() + within
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(pause)
        return True

    def _ask(self, method, path, body=None, within=20.0):
        request = urllib.request.Request(self._base + path, data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=within) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def _wait_for_port(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with open(self._log) as file:
                found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", file.read())
            if found:
                return int(found[1])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self._log) as file:
            raise ServerError(f"baudgate-simulator server did not start: {file.read()[-500:]}")
