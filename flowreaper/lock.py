"""The lock that keeps two runs off one checkpoint; it dies with its process."""

import errno
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from flowreaper.errors import CheckpointError, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.mounts import network_type_at

_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_MOUNTS = Path("/proc/self/mountinfo")


class CheckpointLock:
    """An exclusive lock for one checkpoint, held from `__enter__` to `__exit__`.

    It is a lock of the kernel (flock) on a file beside the checkpoint, ``<checkpoint>.lock``: SQLite's own
    locks on the checkpoint come and go with each transaction, and would be lost if another descriptor of
    the same file were closed. The file says who holds it; it is removed at the end, and one that was left
    behind by a killed process locks nobody out.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self._path = checkpoint.with_name(checkpoint.name + ".lock")
        self._fd = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            CheckpointRefusedError: another run holds it (the message says who), or its folder is missing or
                cannot be written.
            CheckpointError: the lock file cannot be made.
        """
        try:
            while self._fd < 0:
                self._fd = self._take()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise CheckpointRefusedError(
                f"the checkpoint {printable(str(self._checkpoint))} cannot be made: there is no folder "
                f"{printable(str(self._checkpoint.parent))}"
            ) from error
        except OSError as error:
            if error.errno in _UNWRITABLE:
                raise CheckpointRefusedError(
                    f"the checkpoint {printable(str(self._checkpoint))} cannot be made or locked in "
                    f"{printable(str(self._checkpoint.parent.resolve()))}: {error.strerror}. Name one in a folder"
                    " that can be written, with --checkpoint"
                ) from error
            raise CheckpointError(
                f"cannot lock the checkpoint: {printable(str(self._path))}: {error.strerror}"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Removed while it is still locked: whoever waits for it finds that the name is gone, and starts anew.
        self._path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = -1

    def network_file_system(self) -> str:
        """Return the type of the network file system that the checkpoint is on; empty for others.

        Other machines may not see the locks there. Known on Linux only.
        """
        try:
            mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
        return network_type_at(mounts, self._path.resolve())

    def _take(self) -> int:
        """Return the locked descriptor, or -1 if the file went away meanwhile."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._is_current(fd):
                os.close(fd)
                return -1
            os.ftruncate(fd, 0)
            os.pwrite(fd, json.dumps(_holder()).encode(), 0)
        except BlockingIOError:
            who = _read_holder(fd)
            os.close(fd)
            name = printable(str(self._checkpoint))
            raise CheckpointRefusedError(
                f"the checkpoint {name} is in use by another run ({who}): wait for it, stop it, "
                "or give this run a checkpoint of its own with -c"
            ) from None
        except OSError:
            os.close(fd)
            raise
        return fd

    def _is_current(self, fd: int) -> bool:
        try:
            now = self._path.lstat()
        except FileNotFoundError:
            return False
        mine = os.fstat(fd)
        return (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino)


def _holder() -> dict[str, str | int]:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _read_holder(fd: int) -> str:
    try:
        holder = json.loads(os.pread(fd, 4096, 0))
        text = f"pid {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, TypeError, KeyError, OSError, RecursionError):  # a forged file nests deep
        return "it has not said who it is"
    return printable(text)
