"""A small file that processes of one user share: each reads and rewrites it under a lock of the kernel (flock)."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

_SIZE_LIMIT = 1024 * 1024


class LockedFile:
    """The file of this name: created if it is missing, opened again if another file has taken its name.

    Its folder is created with mode 0700. A folder that other users may write to, or own, is refused.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._path = path
        self._fd: int | None = None
        self._was_open = False
        self.has_moved = False
        """Whether another file was opened before this one, and this one has not been used yet."""

    @property
    def is_open(self) -> bool:
        """Whether the file is open now."""
        return self._fd is not None

    def close(self) -> None:
        """Close the file; its next use opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def held(self) -> OSError:
        """Return the error to report when another process holds the lock for too long."""
        why = "another process has held its lock for long: resume or end the run that is suspended"
        return TimeoutError(errno.ETIMEDOUT, why, str(self._path))

    @contextlib.contextmanager
    def locked(self) -> Iterator[tuple[bytes, Callable[[bytes], None]]]:
        """Hold the lock; give the file's text and a function that replaces it.

        Raises:
            BlockingIOError: another process holds the lock, or the file was replaced meanwhile.
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
        # /tmp and /dev/shm are open to all, so another user may have created a folder of this name.
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
    # One write over the old text: a process that is killed meanwhile leaves either the old or the new.
    padded = text.ljust(over)
    if os.pwrite(fd, padded, 0) != len(padded):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if over > 2 * len(text) or over == _SIZE_LIMIT:
        os.ftruncate(fd, len(text))
