"""The lock that keeps two runs off one checkpoint: a byte of the file itself, released when its process ends.

There is no lock file that somebody could remove. SQLite locks bytes at 2**30; this byte is far behind those and every
page. On NFS such locks work between machines, as SQLite's do; flock would shut SQLite's out.
"""

import errno
import fcntl
import os
import struct
import sys
from pathlib import Path

from flowreaper.store.sqlite.network_fs import network_type_at

_RUN = (1 << 62, 1)
_READERS = (0x40000000 + 2, 510)  # SQLite's file format, "os_unix.c": readers share these bytes
_MOUNTS = Path("/proc/self/mountinfo")
_LINUX = sys.platform.startswith("linux")

# Linux has locks that belong to the open file; elsewhere they belong to the process, as SQLite's do. A
# kernel that knows the second kind alone (gVisor) answers EINVAL.
_SET = [getattr(fcntl, name) for name in ("F_OFD_SETLK", "F_SETLK") if hasattr(fcntl, name)]
_GET = [getattr(fcntl, name) for name in ("F_OFD_GETLK", "F_GETLK") if hasattr(fcntl, name)]


def take(fd: int) -> bool:
    """Lock the file for this run, until the descriptor is closed; return whether nobody else holds it.

    Raises:
        OSError: the file system knows no locks.
    """
    return _set(fd, fcntl.F_WRLCK, _RUN)


def is_taken(fd: int) -> bool:
    """Return whether a run holds the file. Takes no lock, so it disturbs no run that starts."""
    asked = _flock(fcntl.F_WRLCK, _RUN)
    for command in _GET:
        try:
            answer = fcntl.fcntl(fd, command, asked)
        except OSError as error:
            if error.errno != errno.EINVAL or command == _GET[-1]:
                raise
        else:
            return _kind(answer) != fcntl.F_UNLCK
    return False


def pose_as_reader(fd: int) -> bool:
    """Hold the lock of a reader of the database; return whether that worked.

    SQLite then neither folds the log when it closes nor removes it. It works only where locks belong to the open file.
    """
    return hasattr(fcntl, "F_OFD_SETLK") and _set(fd, fcntl.F_RDLCK, _READERS)


def network_file_system(path: Path) -> str:
    """Return the type of the network file system that a path is on; empty for others.

    Other machines may not see the locks there. Known on Linux only.
    """
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return network_type_at(mounts, path.resolve())


def _set(fd: int, kind: int, place: tuple[int, int]) -> bool:
    for command in _SET:
        try:
            fcntl.fcntl(fd, command, _flock(kind, place))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            if error.errno != errno.EINVAL or command == _SET[-1]:
                raise
        else:
            return True
    return False


def _flock(kind: int, place: tuple[int, int]) -> bytes:
    """Return C's ``struct flock``: Linux begins with the kind, the BSDs and macOS with the place."""
    start, length = place
    if _LINUX:
        return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, length, 0)
    return struct.pack("qqihh4x", start, length, 0, kind, os.SEEK_SET)


def _kind(flock: bytes) -> int:
    kind: int = struct.unpack("hhqqi4x", flock)[0] if _LINUX else struct.unpack("qqihh4x", flock)[3]
    return kind
