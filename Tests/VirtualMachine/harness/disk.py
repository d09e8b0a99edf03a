"""A disk with a volatile write cache that loses its power at a chosen command, served by NBD.

Protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md, fixed newstyle, simple replies.
"""

import os
import random
import socket
import struct
import threading

SECTOR = 512
# ext4's superblock has its checksum in another sector than what it protects; real disks' blocks hold all of it.
WHOLE = 4096

_REQUEST = struct.Struct(">IHHQQI")
_REQUEST_MAGIC, _REPLY_MAGIC = 0x25609513, 0x67446698
_OPTION_REPLY_MAGIC = 0x3E889045565A9
_OPTION_EXPORT_NAME, _OPTION_ABORT, _OPTION_INFO, _OPTION_GO = 1, 2, 6, 7
_REPLY_ACK, _REPLY_INFO, _REPLY_UNSUPPORTED = 1, 3, 0x80000001
_READ, _WRITE, _DISCONNECT, _FLUSH = 0, 1, 2, 3
_HAS_FLAGS, _SENDS_FLUSH = 1, 4


class Disk:
    """`contents` is what is on the medium. Writes stand in the cache until a flush; `cut` ends both.

    `honest`: without it flushes are acknowledged and do nothing, which is what makes a good program lose data.
    """

    def __init__(self, contents, path, honest=True):
        self._medium = bytearray(contents)
        self.path, self._honest = path, honest
        self._lock = threading.Lock()
        self._listener = None
        self.is_cut = threading.Event()
        self._reset()

    def _reset(self):
        self._view = bytearray(self._medium)
        # sector → what it has been since the last flush, oldest first
        self._cache = {}
        self._commands = 0
        self._limit = None

    @property
    def commands(self):
        """Writes and flushes since it was switched on."""
        return self._commands

    def switch_on(self):
        """Serves one machine, in a thread of its own."""
        self._reset()
        self.is_cut.clear()
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen(1)
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def cut_at(self, count):
        """Power fails at that many writes and flushes from now: the one it is stands unanswered for ever."""
        with self._lock:
            self._limit = self._commands + count

    def cut(self, keep, seed):
        """What the medium has after it: each sector one of those it has been since the last flush.

        Keep is the share of sectors that got further than the flush, 0 to 1. Returns how many waited and how many of them
        were lost, wholly or in their newest state.
        """
        chance = random.Random(seed)
        with self._lock:
            self.is_cut.set()
            if self._listener:
                self._listener.close()
                self._listener = None
            waiting, lost = len(self._cache), 0
            whole = chance.random() < keep
            for sector, states in self._cache.items():
                if sector < WHOLE // SECTOR:
                    state = states[-1] if whole else None
                else:
                    state = chance.choice(states) if chance.random() < keep else None
                if state is not None:
                    self._medium[sector * SECTOR:(sector + 1) * SECTOR] = state
                lost += state is not states[-1]
            self._reset()
        return waiting, lost

    # MARK: what the machine asks

    def _execute(self, kind, offset, length, data):
        """The reply's error and bytes; `None` where the power is gone."""
        with self._lock:
            if self.is_cut.is_set():
                return None
            if offset + length > len(self._view):
                return 28, b""
            if kind == _READ:
                return 0, bytes(self._view[offset:offset + length])
            if kind not in (_WRITE, _FLUSH):
                return 22, b""
            self._commands += 1
            is_last = self._limit is not None and self._commands >= self._limit
            if kind == _WRITE:
                self._view[offset:offset + length] = data
                for start in range(0, length, SECTOR):
                    self._cache.setdefault((offset + start) // SECTOR, []).append(data[start:start + SECTOR])
            elif self._honest and not is_last:
                for sector, states in self._cache.items():
                    self._medium[sector * SECTOR:(sector + 1) * SECTOR] = states[-1]
                self._cache = {}
            if is_last:
                self.is_cut.set()
                return None
            return 0, b""

    def _serve(self, listener):
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                if self._negotiate(connection):
                    self._transmit(connection)
            except (OSError, EOFError):
                pass

    def _negotiate(self, connection):
        connection.sendall(b"NBDMAGIC" + b"IHAVEOPT" + struct.pack(">H", 3))
        _read(connection, 4)
        export = struct.pack(">QH", len(self._view), _HAS_FLAGS | _SENDS_FLUSH)
        while True:
            _, option, length = struct.unpack(">8sII", _read(connection, 16))
            _read(connection, length)

            def reply(kind, data=b""):
                connection.sendall(struct.pack(">QIII", _OPTION_REPLY_MAGIC, option, kind, len(data)) + data)

            if option == _OPTION_EXPORT_NAME:
                connection.sendall(export)
                return True
            if option in (_OPTION_GO, _OPTION_INFO):
                reply(_REPLY_INFO, struct.pack(">H", 0) + export)
                reply(_REPLY_ACK)
                if option == _OPTION_GO:
                    return True
            elif option == _OPTION_ABORT:
                reply(_REPLY_ACK)
                return False
            else:
                reply(_REPLY_UNSUPPORTED)

    def _transmit(self, connection):
        while True:
            magic, _, kind, cookie, offset, length = _REQUEST.unpack(_read(connection, _REQUEST.size))
            if magic != _REQUEST_MAGIC or kind == _DISCONNECT:
                return
            data = _read(connection, length) if kind == _WRITE else b""
            outcome = self._execute(kind, offset, length, data)
            if outcome is None:
                # Silence: the machine is switched off before it misses the answer.
                continue
            error, answer = outcome
            connection.sendall(struct.pack(">IIQ", _REPLY_MAGIC, error, cookie) + answer)


def _read(connection, count):
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
