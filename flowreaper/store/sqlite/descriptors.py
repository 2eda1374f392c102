"""Descriptors of database files, kept open for as long as SQLite has the same file open in this process.

When a process closes any descriptor of a file, POSIX drops all of its locks on that file (fcntl(2)), SQLite's
included. So a descriptor is closed only when nothing here uses its file any more, and is reused until then.
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
    """Count one more user of the file behind a descriptor; return the file's identity."""
    found = os.fstat(fd)
    inode = (found.st_dev, found.st_ino)
    with _lock:
        _users[inode] = _users.get(inode, 0) + 1
    return inode


def release(fd: int, inode: Inode) -> None:
    """Close an adopted descriptor, now or when its file has no user any more."""
    with _lock:
        _unused.setdefault(inode, []).append(fd)
        _users[inode] -= 1
        if not _users[inode]:
            del _users[inode]
            for unused in _unused.pop(inode):
                os.close(unused)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[int]:
    """Yield a descriptor of a file. Read a database through SQLite only inside this block.

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
