"""Descriptors of database files, which must not be closed while SQLite has the same file open in this process.

POSIX takes a process's locks on a file away as soon as it closes any descriptor of it (fcntl(2)): those that SQLite
holds, too, and with them the protection from other processes. So a descriptor is closed only when nobody here uses
its file any more, and is lent again until then.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

Inode = tuple[int, int]

_lock = threading.Lock()
_users: dict[Inode, int] = {}
_unused: dict[Inode, list[int]] = {}


def adopt(fd: int) -> Inode:
    """Count a user of the file that a descriptor is open for; return what names the file."""
    found = os.fstat(fd)
    inode = (found.st_dev, found.st_ino)
    with _lock:
        _users[inode] = _users.get(inode, 0) + 1
    return inode


def release(fd: int, inode: Inode) -> None:
    """Close a descriptor that was adopted, or as soon as its file has no user any more."""
    with _lock:
        _unused.setdefault(inode, []).append(fd)
        _users[inode] -= 1
        if not _users[inode]:
            del _users[inode]
            for unused in _unused.pop(inode):
                os.close(unused)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[int]:
    """Give a descriptor to look at a file; whoever reads the file through SQLite does so within.

    Raises:
        OSError: it cannot be opened.
    """
    now = path.stat()
    inode = (now.st_dev, now.st_ino)
    with _lock:
        lent = _unused.get(inode, [])
        fd = lent.pop() if lent else -1
    if fd < 0:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    inode = adopt(fd)
    try:
        yield fd
    finally:
        release(fd, inode)
