"""A file of JSON lines that is only appended to, durably, and mended after a crash."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Self

_NEW = os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LINE_LIMIT = 1024 * 1024


class LineFile:
    """The file behind a descriptor. Its methods block, and raise OSError."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def opened(cls, name: str, folder_fd: int) -> Self:
        """Open the file, or make it; cut half a line from its end, which a crash may have left.

        Raises:
            OSError: that failed, or it is no regular file with one name.
        """
        fd = os.open(name, os.O_RDWR | os.O_APPEND | _NEW, 0o600, dir_fd=folder_fd)
        try:
            _mend(fd, name)
        except BaseException:
            os.close(fd)
            raise
        return cls(fd)

    def append(self, lines: bytes) -> None:
        """Append whole lines; they are durable when it returns, and where it fails, the file is as it was."""
        size = os.fstat(self._fd).st_size
        try:
            _write_all(self._fd, lines)
            os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):  # else the next one who opens it cuts the half line
                os.ftruncate(self._fd, size)
            raise

    def last(self) -> bytes:
        """Return the last line, empty where there is none."""
        size = os.fstat(self._fd).st_size
        end = os.pread(self._fd, _LINE_LIMIT, max(0, size - _LINE_LIMIT)).removesuffix(b"\n")
        return end[end.rfind(b"\n") + 1 :]

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def lines_in(name: str, folder_fd: int) -> Iterator[tuple[int, bytes]]:
    """Yield the whole lines of a file, each with its place in bytes; a missing file has none. Raises OSError."""
    with contextlib.ExitStack() as opened:
        try:
            fd = os.open(name, _READ, dir_fd=folder_fd)
        except FileNotFoundError:
            return
        file = opened.enter_context(os.fdopen(fd, "rb"))
        place = 0
        while (line := file.readline(_LINE_LIMIT)).endswith(b"\n"):
            yield place, line
            place += len(line)
        if len(line) == _LINE_LIMIT:  # what follows would be passed over
            raise OSError(errno.EINVAL, "it has a line that is too long for one of flowreaper's", name)


def line_at(name: str, folder_fd: int, place: int) -> bytes:
    """Return the line that begins at a place; raises OSError."""
    with os.fdopen(os.open(name, _READ, dir_fd=folder_fd), "rb") as file:
        file.seek(place)
        return file.readline(_LINE_LIMIT)


def read_file(name: str, folder_fd: int, limit: int) -> bytes:
    """Return the first `limit` bytes of a file; raises OSError."""
    with os.fdopen(os.open(name, _READ, dir_fd=folder_fd), "rb") as file:
        return file.read(limit)


def write_file(name: str, content: bytes, folder_fd: int) -> None:
    """Write a new file durably, mode 0600; its name is durable once its folder is. Raises OSError."""
    fd = os.open(name, os.O_WRONLY | os.O_EXCL | _NEW, 0o600, dir_fd=folder_fd)
    try:
        _write_all(fd, content)
        os.fsync(fd)
    finally:
        os.close(fd)


def _mend(fd: int, name: str) -> None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        raise OSError(errno.EINVAL, "it is no regular file with one name", name)
    size = found.st_size
    start = max(0, size - _LINE_LIMIT)
    end = os.pread(fd, size - start, start)
    keep = start + end.rfind(b"\n") + 1
    if keep == start and start:
        raise OSError(errno.EINVAL, "its last line is too long for one of flowreaper's", name)
    if keep < size:
        os.ftruncate(fd, keep)
        os.fsync(fd)


def _write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
