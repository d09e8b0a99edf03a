"""The archive a kernel takes as its first root. Format: "newc", Documentation/driver-api/early-userspace/buffer-format.rst."""

import stat


class Archive:
    def __init__(self):
        self._parts = []
        self._number = 0

    def directory(self, path):
        self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, mode=0o644):
        self._entry(path, stat.S_IFREG | mode, data)

    def device(self, path, major, minor):
        self._entry(path, stat.S_IFCHR | 0o600, b"", major, minor)

    def bytes(self):
        self._entry("TRAILER!!!", 0, b"")
        return b"".join(self._parts)

    def _entry(self, path, mode, data, major=0, minor=0):
        self._number += 1
        name = path.encode() + b"\0"
        # magic, inode, mode, uid, gid, links, mtime, size, device, rdevice, length of the name, checksum
        fields = (self._number, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        self._parts += [_padded(header + name), _padded(data)]


def _padded(data):
    return data + b"\0" * (-len(data) % 4)
