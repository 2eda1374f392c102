"""The checkpoint's file while a run has it: locked against other runs, and watched for changes by anything else.

Between two folds of the log SQLite writes nothing into the main file: its size and first pages must stay the same, and
the names must lead to the open files. The guard keeps one descriptor open for longer than SQLite's (`descriptors`).
"""

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from flowreaper.errors import Advice, CheckpointError, CheckpointInUseError, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.store.sqlite import descriptors, lock
from flowreaper.store.sqlite.companions import look, refuse_beside_saved, refuse_lone_log
from flowreaper.store.sqlite.run_mark import holder

_FIRST_PAGES = 8192  # the header and, in its page, the mark that each fold changes
_LOG_HEADER = 32
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happened to the file: `what` is words that follow its name, `then` what to do before going on.

    `intact`: the open file still holds this run's pages and nothing else. `lost`: the file has no name any more.
    """

    what: str
    then: str = ""
    intact: bool = True
    lost: bool = False


class GuardedFile:
    """A checkpoint's file that this run alone has. Made by `hold`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.log = path.with_name(path.name + "-wal")
        self._fd = fd
        self._inode = descriptors.adopt(fd)
        self._size = 0
        self._pages = b""
        self._log_fd = -1
        self._log_size = 0
        self._log_header = b""

    @property
    def size(self) -> int:
        """How many bytes the main file has."""
        return os.fstat(self._fd).st_size

    def keep_locked(self) -> None:
        """Lock the file, or lock it again: where locks belong to the process, closing any descriptor drops them.

        Raises:
            CheckpointInUseError: another run has it.
        """
        if not lock.take(self._fd):
            raise CheckpointInUseError(
                f"the checkpoint {printable(str(self.path))} is in use by another run"
                f" ({holder(self.path) or 'it has not said who it is'}): wait for it, or stop it",
            )

    def folded(self) -> None:
        """Remember the main file as it is now; call it after each fold."""
        self._size = os.fstat(self._fd).st_size
        self._pages = os.pread(self._fd, _FIRST_PAGES, 0)

    def committed(self) -> int:
        """Remember the log as it is now, and return its size; call it after each commit."""
        if self._log_fd < 0:
            try:
                # SQLite locks nothing on this file: its descriptors may be closed at any time.
                self._log_fd = os.open(self.log, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                return 0  # `trouble` reports it
        self._log_size = os.fstat(self._log_fd).st_size
        self._log_header = os.pread(self._log_fd, _LOG_HEADER, 0)
        return self._log_size

    def trouble(self) -> Trouble | None:
        """Return what is wrong with the file or its name; None if nothing."""
        try:
            return self._main_trouble() or self._log_trouble() or self._folder_trouble()
        except OSError as error:
            return Trouble(f"cannot be examined any more: {error.strerror}", "put that right")

    def log_is_foreign(self) -> bool:
        """Whether the log's name leads to a file that is not this run's."""
        now = look(self.log)
        return now is not None and not (self._log_fd >= 0 and os.path.samestat(now, os.fstat(self._log_fd)))

    def keep_as_it_is(self) -> None:
        """Keep SQLite from writing the file and from removing the log when it closes."""
        lock.pose_as_reader(self._fd)

    def close(self) -> None:
        """Release the lock; SQLite must have closed the file before."""
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._log_fd = -1
        if self._fd >= 0:
            descriptors.release(self._fd, self._inode)
            self._fd = -1

    def _main_trouble(self) -> Trouble | None:
        mine = os.fstat(self._fd)
        now = look(self.path)
        if now is None or not os.path.samestat(now, mine):
            where = self._elsewhere(mine.st_nlink)
            if now is None:
                what = f"was renamed or moved{where}" if mine.st_nlink else "was removed"
            else:
                what = f"is another file now{where}"
            return Trouble(what, "put it back in its place", lost=not mine.st_nlink)
        if self._pages and (mine.st_size != self._size or os.pread(self._fd, _FIRST_PAGES, 0) != self._pages):
            shorter = mine.st_size < self._size
            what = "was truncated or overwritten" if shorter else "was overwritten"
            return Trouble(f"{what} by something else", intact=False)
        if mine.st_nlink > 1:
            return Trouble("has a second name now (a hard link)", "remove that name (a copy is made with cp)")
        return None

    def _log_trouble(self) -> Trouble | None:
        if not self._pages:
            return None
        name = printable(self.log.name)
        now = look(self.log)
        if now is None:
            return Trouble(f"has lost its log: {name} was removed or renamed", "leave that file alone")
        mine = os.fstat(self._log_fd) if self._log_fd >= 0 else None
        if mine is None or not os.path.samestat(now, mine):
            return Trouble(f"has lost its log: {name} is another file now", "move that file away")
        if mine.st_size < self._log_size or os.pread(self._log_fd, _LOG_HEADER, 0) != self._log_header:
            return Trouble(f"has lost its log: {name} was truncated or overwritten", intact=False)
        if now.st_nlink > 1:
            return Trouble(f"has a log with a second name now (a hard link to {name})", "remove that name")
        return None

    def _folder_trouble(self) -> Trouble | None:
        if os.access(self.path.parent, os.W_OK):
            return None
        folder = printable(str(self.path.parent))
        return Trouble(f"is in a folder that cannot be written any more: {folder}", "make it writable again")

    def _elsewhere(self, links: int) -> str:
        if not links:
            return ""
        try:
            return f" (it is {printable(str(Path(f'/proc/self/fd/{self._fd}').readlink()))})"
        except OSError:  # no such list on macOS
            return ""


def hold(path: Path) -> GuardedFile:
    """Open a checkpoint's file for this run alone, or make an empty one (mode 0600) where there is none.

    Raises:
        CheckpointInUseError: another run has it; the message says which.
        CheckpointRefusedError: it is no regular file or has a second name, what lies beside it is not its own, or it
            cannot be made or written there.
        CheckpointError: it cannot be opened or locked.
    """
    name = printable(str(path))
    try:
        while (file := _try_to_hold(path)) is None:
            pass  # the file appeared or vanished in between
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise _unwritable(path, name, error.strerror) from error
        raise CheckpointError(
            f"cannot open or make the checkpoint {name}: {printable(str(error.strerror))}"
        ) from error
    return file


def _try_to_hold(path: Path) -> GuardedFile | None:
    exists = check_place(path)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, printable(str(path)), os.strerror(errno.EACCES))
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # O_EXCL follows no symbolic link: no file is made where a planted link points.
        fd = os.open(path, flags if exists else flags | os.O_CREAT | os.O_EXCL, 0o600)
    except (FileExistsError, FileNotFoundError):
        return None
    file = GuardedFile(path.absolute(), fd)
    try:
        file.keep_locked()
    except BaseException:
        file.close()
        raise
    now = look(path)
    if now is not None and os.path.samestat(now, os.fstat(fd)) and now.st_nlink == 1:
        return file
    file.close()
    return None


def has_run(path: Path) -> bool:
    """Return whether a run has this checkpoint; False where that cannot be determined."""
    try:
        with descriptors.reading(path) as fd:
            return lock.is_taken(fd)
    except OSError:
        return False


def check_place(path: Path) -> bool:
    """Return whether there is a file; makes nothing, so a refusal leaves no file behind.

    Raises:
        CheckpointRefusedError: it is no regular file or has a second name, or what lies beside it is not its own.
    """
    name = printable(str(path))
    if not path.parent.is_dir():
        raise CheckpointRefusedError(
            f"the checkpoint {name} cannot be made: there is no folder {printable(str(path.parent))}"
        )
    now = look(path)
    refuse_lone_log(path)
    if now is None:
        refuse_beside_saved(path)
    elif stat.S_ISLNK(now.st_mode):
        # A second name means a second log: two runs could share the file. And the link may be planted.
        raise CheckpointRefusedError(f"the checkpoint {name} is a symbolic link: name the file itself")
    elif not stat.S_ISREG(now.st_mode):
        raise CheckpointRefusedError(f"the checkpoint {name} is no regular file", Advice.OTHER_CHECKPOINT)
    elif now.st_nlink > 1:
        raise CheckpointRefusedError(
            f"the checkpoint {name} is a hard link: the file has {now.st_nlink} names, and each would have a log of"
            " its own. Keep one name, or make a copy under another (cp)"
        )
    return now is not None


def _unwritable(path: Path, name: str, why: str | None) -> CheckpointRefusedError:
    return CheckpointRefusedError(
        f"the checkpoint {name} cannot be made, written or locked in {printable(str(path.parent.resolve()))}:"
        f" {why}. Choose one in a folder that can be written",
        Advice.OTHER_CHECKPOINT,
    )
