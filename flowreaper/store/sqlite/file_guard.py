"""The checkpoint's file while a run has it: locked, and watched, so that no outcome goes to a file nobody will find.

Between two folds of the log SQLite writes nothing into the main file, so its size and first pages must stay as they
were; the names must lead to the files that are open. Only names are looked up, and one descriptor stays open from
before SQLite's to after it (see `flowreaper.store.sqlite.descriptors`).
"""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flowreaper.errors import Advice, CheckpointError, CheckpointRefusedError
from flowreaper.escaping import printable
from flowreaper.store.sqlite import descriptors, lock
from flowreaper.store.sqlite.run_mark import holder

_SHARED_MEMORY = 3007000  # the version that such a file begins with (SQLite's "WAL-mode file format")
_FIRST_PAGES = 8192  # the header and, in its page, the mark that each fold changes
_LOG_HEADER = 32
_MOST_SAVED = 100
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite adds to a database's name for the files that it makes, and removes, beside it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happened to the file, in words that follow its name.

    `then`: what to do before going on. `intact`: what is open still holds this run's pages and nothing else;
    `lost`: no name leads to it any more.
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
        """Lock the file again: where locks belong to the process, SQLite lost this one by closing the file.

        Raises:
            CheckpointRefusedError: another run has it.
        """
        if not lock.take(self._fd):
            raise CheckpointRefusedError(
                f"the checkpoint {printable(str(self.path))} is in use by another run"
                f" ({holder(self.path) or 'it has not said who it is'}): wait for it, or stop it",
                Advice.OTHER_CHECKPOINT,
            )

    def folded(self) -> None:
        """Remember the main file as it is now; call it when SQLite has just written it."""
        self._size = os.fstat(self._fd).st_size
        self._pages = os.pread(self._fd, _FIRST_PAGES, 0)

    def committed(self) -> int:
        """Remember the log as it is now, and return its size; call it after each commit."""
        if self._log_fd < 0:
            try:
                # SQLite locks nothing on this file: its descriptors may be closed at any time.
                self._log_fd = os.open(self.log, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except OSError:
                return 0  # `trouble` has words for it
        self._log_size = os.fstat(self._log_fd).st_size
        self._log_header = os.pread(self._log_fd, _LOG_HEADER, 0)
        return self._log_size

    def trouble(self) -> Trouble | None:
        """Return what is wrong with the file or its name; None if nothing."""
        try:
            return self._main_trouble() or self._log_trouble() or self._folder_trouble()
        except OSError as error:
            return Trouble(f"cannot be looked at any more: {error.strerror}", "put that right")

    def log_is_foreign(self) -> bool:
        """Whether the log's name leads to a file that is not this run's."""
        now = _look(self.log)
        return now is not None and not (self._log_fd >= 0 and os.path.samestat(now, os.fstat(self._log_fd)))

    def keep_as_it_is(self) -> None:
        """Let SQLite, when it closes, neither write into the file nor remove the log's name."""
        lock.pose_as_reader(self._fd)

    def close(self) -> None:
        """Give the lock back; SQLite must have closed the file."""
        if self._log_fd >= 0:
            os.close(self._log_fd)
            self._log_fd = -1
        if self._fd >= 0:
            descriptors.release(self._fd, self._inode)
            self._fd = -1

    def _main_trouble(self) -> Trouble | None:
        mine = os.fstat(self._fd)
        now = _look(self.path)
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
        now = _look(self.log)
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
        CheckpointRefusedError: another run has it (the message says which), it is no regular file or has a
            second name, what lies beside it is not its own, or it cannot be made or written there.
        CheckpointError: it cannot be opened or locked.
    """
    name = printable(str(path))
    try:
        while (file := _try_to_hold(path, name)) is None:
            pass  # it came or went meanwhile
    except OSError as error:
        if error.errno in _UNWRITABLE:
            raise _unwritable(path, name, error.strerror) from error
        raise CheckpointError(
            f"cannot open or make the checkpoint {name}: {printable(str(error.strerror))}"
        ) from error
    return file


def _try_to_hold(path: Path, name: str) -> GuardedFile | None:
    exists = _refuse_what_is_not_its_own(path, name)
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # O_EXCL follows no symbolic link, so nothing is made where a planted one points.
        fd = os.open(path, flags if exists else flags | os.O_CREAT | os.O_EXCL, 0o600)
    except (FileExistsError, FileNotFoundError):
        return None
    file = GuardedFile(path.absolute(), fd)
    try:
        file.keep_locked()
    except BaseException:
        file.close()
        raise
    now = _look(path)
    if now is not None and os.path.samestat(now, os.fstat(fd)) and now.st_nlink == 1:
        return file
    file.close()
    return None


def has_run(path: Path) -> bool:
    """Return whether a run has this checkpoint; False where that cannot be found out."""
    try:
        with descriptors.reading(path) as fd:
            return lock.is_taken(fd)
    except OSError:
        return False


def companion_named(checkpoint: Path, path: Path) -> str:
    """Return the name of the file beside a checkpoint, made or not, that a path is another name of; empty if none.

    The checkpoint itself counts, too.
    """
    for end in ("", *_COMPANIONS):
        own = checkpoint.with_name(checkpoint.name + end)
        if path.resolve() == own.resolve() or (path.exists() and own.exists() and path.samefile(own)):
            return own.name
    return ""


def refuse_lone_log(path: Path) -> None:
    """Refuse a checkpoint that is empty or gone while its log is there: SQLite removes the log when it opens that.

    Raises:
        CheckpointRefusedError: it is so.
    """
    now = _look(path)
    if now is not None and not (stat.S_ISREG(now.st_mode) and now.st_size == 0):
        return
    for end in _COMPANIONS if now is None else ("-wal",):
        beside = _look(path.with_name(path.name + end))
        if beside and (beside.st_size or now is None) and not _is_shared_memory(path, end):
            raise CheckpointRefusedError(
                f"the checkpoint {printable(str(path))} {'is empty' if now else 'does not exist'}, but there is"
                f" {printable(path.name + end)}, which SQLite would remove: put the checkpoint that it belongs"
                " to back in its place, or move it away",
                Advice.OTHER_CHECKPOINT,
            )


def saved_names(path: Path) -> Iterator[Path]:
    """Yield the names, in their order, under which a checkpoint is saved that lost its own during a run."""
    yield path.with_name(f"{path.name}.saved")
    for number in range(2, _MOST_SAVED + 1):
        yield path.with_name(f"{path.name}.saved.{number}")


def _refuse_beside_saved(path: Path, name: str) -> None:
    for saved in saved_names(path):
        if _look(saved):
            raise CheckpointRefusedError(
                f"the checkpoint {name} does not exist, but there is {printable(saved.name)}, which holds what a run had"
                " recorded when its file was removed. A fresh checkpoint would call every flow again, and those that"
                f" are deleted would end as absent: move it to {printable(path.name)}, or away if you do not need it"
            )


def _refuse_what_is_not_its_own(path: Path, name: str) -> bool:
    """Return whether there is such a file; nothing was made beside what is refused."""
    if not path.parent.is_dir():
        raise CheckpointRefusedError(
            f"the checkpoint {name} cannot be made: there is no folder {printable(str(path.parent))}"
        )
    now = _look(path)
    refuse_lone_log(path)
    if now is None:
        _refuse_beside_saved(path, name)
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
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _unwritable(path, name, os.strerror(errno.EACCES))
    return now is not None


def _is_shared_memory(path: Path, end: str) -> bool:
    """Return whether a file is SQLite's -shm, which holds nothing of its own and may be left behind."""
    if end != "-shm":
        return False
    with path.with_name(path.name + end).open("rb") as file:
        return file.read(4) in (b"", bytes(4), _SHARED_MEMORY.to_bytes(4, sys.byteorder))


def _look(path: Path | str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _unwritable(path: Path, name: str, why: str | None) -> CheckpointRefusedError:
    return CheckpointRefusedError(
        f"the checkpoint {name} cannot be made, written or locked in {printable(str(path.parent.resolve()))}:"
        f" {why}. Choose one in a folder that can be written",
        Advice.OTHER_CHECKPOINT,
    )
