"""`forward.py PORT`: one connection of the machine, which QEMU gives as standard input, to the host's loopback."""

import os
import select
import socket
import sys


def main():
    server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    ways = {0: (lambda: os.read(0, 65536), server.sendall),
            server.fileno(): (lambda: server.recv(65536), write_all)}
    while ways:
        for source in select.select(list(ways), [], [])[0]:
            read, write = ways[source]
            try:
                data = read()
                if data:
                    write(data)
                    continue
            except OSError:
                pass
            # QEMU's side has one descriptor for both ways: an end of either ends the connection.
            return


def write_all(data):
    while data:
        data = data[os.write(1, data):]


main()
