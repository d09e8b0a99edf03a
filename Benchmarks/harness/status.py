"""What the daemon says of itself, as `baudgate status --json` prints it."""

import json
import os
import socket


def status(runtime):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(os.path.join(runtime, "control.sock"))
        control.sendall(b"status\n")
        return json.loads(b"".join(iter(lambda: control.recv(65536), b"")))
