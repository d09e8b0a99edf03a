"""Fresh directories, in memory and on a disk, removed at the end."""

import itertools
import os
import shutil
import tempfile

from .counters import filesystem_type
from .processes import BenchmarkError

IN_MEMORY = ("tmpfs", "ramfs")


class Place:
    """Directories of one benchmark run; every call gives a new one."""

    def __init__(self, disk=None):
        memory = next((p for p in ("/dev/shm", "/run") if self.usable(p, in_memory=True)), None)
        disks = [disk] if disk else ["/var/tmp", tempfile.gettempdir(), os.getcwd()]
        disk = next((p for p in disks if self.usable(p, in_memory=False)), None)
        if not memory:
            raise BenchmarkError("neither /dev/shm nor /run is a tmpfs one may write to: no place for the hot log")
        if not disk:
            raise BenchmarkError(f"none of {', '.join(disks)} is on a disk: give one with --disk")
        self.memory_root = tempfile.mkdtemp(prefix="baudgate-bench-", dir=memory)
        self.disk_root = tempfile.mkdtemp(prefix="baudgate-bench-", dir=disk)
        self.number = itertools.count(1)

    @staticmethod
    def usable(path, in_memory):
        return os.access(path, os.W_OK) and (filesystem_type(path) in IN_MEMORY) == in_memory

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.memory_root, ignore_errors=True)
        shutil.rmtree(self.disk_root, ignore_errors=True)

    def memory(self, name):
        return self.fresh(self.memory_root, name)

    def disk(self, name):
        return self.fresh(self.disk_root, name)

    def log(self, name):
        """A log file in memory: on a disk it would count as bytes written."""
        return os.path.join(self.memory_root, f"{next(self.number)}-{name.replace(' ', '-')}.log")

    def fresh(self, root, name):
        path = os.path.join(root, f"{next(self.number)}-{name}")
        os.mkdir(path, 0o700)
        return path
