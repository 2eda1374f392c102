"""A small file that processes of one user share: read, changed and written in one go, under a lock of the kernel."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

_SIZE_LIMIT = 1024 * 1024


class SharedFile:
    """The file that has this name: it is made where it is missing, and followed when it is replaced.

    Its folder is made with mode 0700, and must be this user's alone.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._path = path
        self._fd: int | None = None
        self._was_open = False
        self.has_moved = False
        """Whether another file was opened before this one, which has not been changed since."""

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed again."""
        return self._fd is not None

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def held(self) -> OSError:
        """Return the error for a lock that is held too long."""
        why = "another process has held its lock for long: resume or end the run that is suspended"
        return TimeoutError(errno.ETIMEDOUT, why, str(self._path))

    @contextlib.contextmanager
    def locked(self) -> Iterator[tuple[bytes, Callable[[bytes], None]]]:
        """Hold the lock, and give the text and a function that writes another.

        Raises:
            BlockingIOError: somebody else holds the lock, or the name is that of another file by now.
            OSError: the file cannot be used.
        """
        fd = self._current()
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            text = os.pread(fd, _SIZE_LIMIT, 0)
            yield text, lambda new: _write(fd, new, len(text))
            if not self._has_name(fd):
                raise BlockingIOError(errno.EAGAIN, "the file was replaced", str(self._path))
            self.has_moved = False
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _current(self) -> int:
        if self._fd is not None:
            if self._has_name(self._fd):
                return self._fd
            self.close()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Others can make a folder of this name first, where everybody may write.
        folder = self._folder.lstat()
        if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid() or folder.st_mode & 0o077:
            raise PermissionError(errno.EPERM, "it is not a folder of this user alone", str(self._folder))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o600)
        self.has_moved = self._was_open
        self._was_open = True
        return self._fd

    def _has_name(self, fd: int) -> bool:
        mine = os.fstat(fd)
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return False
        return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


def _write(fd: int, text: bytes, over: int) -> None:
    # In one piece over what was there: a process that is killed in the midst leaves the old or the new.
    padded = text.ljust(over)
    if os.pwrite(fd, padded, 0) != len(padded):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if over > 2 * len(text) or over == _SIZE_LIMIT:
        os.ftruncate(fd, len(text))
