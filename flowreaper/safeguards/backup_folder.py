"""A backup's folder on disk, while one process has it: locked, mended, and durable after every write.

Every part is opened relative to the folder above it, without following a symbolic link. A flow's folder gets its name
only when it is whole, and its line in the index only when the folder is durable. So a crash leaves no line for what is
not there; a line that is cut is removed the next time. Nothing that was saved is written over: a flow that is saved
again gets another folder and another line, and its last line counts.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowreaper.errors import BackupInUseError, ConfigurationError
from flowreaper.escaping import printable
from flowreaper.safeguards.backup_entry import (
    DETAILS,
    FLOW_JSON,
    INDEX,
    JOURNAL,
    LOCK,
    NEW,
    PLAIN,
    README,
    Origin,
    Saved,
    details_of,
    entry_of,
    flow_folder,
    line_of,
    read_line,
    space_folder,
)
from flowreaper.safeguards.backup_readme import readme
from flowreaper.safeguards.line_file import LineFile, write_file
from flowreaper.version import __version__

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OWN_NAMES = {INDEX, README, LOCK, JOURNAL}


class BackupFolder:
    """The folder behind a descriptor, which this process has locked. Its methods block."""

    def __init__(self, path: Path, fd: int, lock_fd: int) -> None:
        self._path = path
        self._fd = fd
        self._lock_fd = lock_fd
        self._index: LineFile | None = None
        self._durable_spaces: set[str] = set()

    @property
    def name(self) -> str:
        """Its path, for messages."""
        return printable(str(self._path))

    @property
    def fd(self) -> int:
        """The folder's descriptor."""
        return self._fd

    def begin(self, origin: Origin) -> None:
        """Get ready to save flows of this origin.

        Raises:
            ConfigurationError: another account's flows are there, or nothing can be written.
        """
        try:
            self._index = LineFile.opened(INDEX, self._fd)
            last = read_line(self._index.last())
            if last and last.account and origin.account and last.account != origin.account:
                raise ConfigurationError(
                    f"the backup {self.name} is of the account {printable(last.account)}, and this run deletes flows"
                    f" of {printable(origin.account)}: name another folder"
                )
            if last and last.endpoint and last.is_rehearsed != origin.endpoint.startswith(PLAIN):
                kinds = "a sandbox", "the service"
                held, wanted = kinds if last.is_rehearsed else reversed(kinds)
                raise ConfigurationError(
                    f"the backup {self.name} holds flows of {held}, and this run deletes flows of {wanted}: name another"
                    " folder"
                )
            with contextlib.suppress(FileExistsError):
                text = readme(origin, shlex.quote(printable(self._path.name)))
                write_file(README, text.encode(), self._fd)
            os.fsync(self._fd)
        except OSError as error:
            raise _refused(self._path, error) from None

    def save(self, flows: Sequence[Saved], origin: Origin) -> None:
        """Save flows; they are durable when it returns, and none of them counts where it raises OSError."""
        if self._index is None:
            raise RuntimeError("the index is not open")
        lines = []
        with contextlib.ExitStack() as opened:
            spaces: dict[str, int] = {}
            for saved in flows:
                space = space_folder(saved.details.flow)
                if space not in spaces:
                    spaces[space] = self._open_space(space)
                    opened.callback(os.close, spaces[space])
                name = self._put(saved, origin, spaces[space])
                lines.append(line_of(entry_of(saved, f"{space}/{name}", origin)))
            for fd in spaces.values():
                os.fsync(fd)
        self._index.append(b"".join(lines))

    def close(self) -> None:
        """Release the folder."""
        if self._index is not None:
            self._index.close()
        os.close(self._lock_fd)
        os.close(self._fd)

    def _open_space(self, name: str) -> int:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._fd)
        fd = os.open(name, _FOLDER, dir_fd=self._fd)
        if name not in self._durable_spaces:
            os.fsync(self._fd)
            self._durable_spaces.add(name)
        return fd

    def _put(self, saved: Saved, origin: Origin, space_fd: int) -> str:
        """Write a flow's folder whole, then give it its name; return that."""
        _remove_folder(NEW, space_fd)
        os.mkdir(NEW, 0o700, dir_fd=space_fd)
        fd = os.open(NEW, _FOLDER, dir_fd=space_fd)
        try:
            write_file(DETAILS, details_of(saved, origin, __version__), fd)
            if saved.content is not None:
                write_file(FLOW_JSON, saved.content, fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        for copy in itertools.count(1):
            name = flow_folder(saved.details.flow, copy)
            if not _exists(name, space_fd):
                os.rename(NEW, name, src_dir_fd=space_fd, dst_dir_fd=space_fd)
                return name
        raise AssertionError  # not reached: there is always another number


@contextlib.contextmanager
def held_folder(path: Path, *, make: bool) -> Iterator[BackupFolder]:
    """Hold a backup's folder for this process alone; `make`: where there is none, or an empty one, begin one.

    Raises:
        BackupInUseError: another process has it.
        ConfigurationError: it is no backup, or cannot be opened.
    """
    folder = _hold(path, make=make)
    try:
        yield folder
    finally:
        folder.close()


def open_folder(path: Path) -> int:
    """Open a backup's folder to read; raises ConfigurationError where there is no backup."""
    name = printable(str(path))
    try:
        fd = os.open(path, _FOLDER)
    except FileNotFoundError:
        raise ConfigurationError(f"there is no backup {name}: name the folder of one") from None
    except OSError as error:
        raise _refused(path, error) from None
    if not _exists(INDEX, fd):
        os.close(fd)
        raise ConfigurationError(f"{name} is no backup: there is no {INDEX} in it")
    return fd


def _hold(path: Path, *, make: bool) -> BackupFolder:
    name = printable(str(path))
    with contextlib.ExitStack() as opened:
        try:
            if make:
                _make(path)
            fd = os.open(path, _FOLDER) if make else open_folder(path)
            opened.callback(os.close, fd)
            foreign = not _exists(INDEX, fd) and set(os.listdir(fd)) - _OWN_NAMES  # noqa: PTH208 -- of a descriptor
            if foreign:
                raise ConfigurationError(
                    f"the folder {name} holds other things ({printable(min(foreign))}): name a new folder, an empty"
                    " one, or one that holds a backup"
                )
            lock_fd = os.open(LOCK, _LOCK_FILE, 0o600, dir_fd=fd)
            opened.callback(os.close, lock_fd)
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupInUseError(
                f"another process has the backup {name}: wait for its end, or name another folder"
            ) from None
        except OSError as error:
            raise _refused(path, error) from None
        opened.pop_all()
        return BackupFolder(path, fd, lock_fd)


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        # A link may be planted, and could be turned to another place between two runs.
        if path.is_symlink() or not path.is_dir():
            raise OSError(errno.ELOOP, "a link, or no folder") from None
    with contextlib.suppress(PermissionError):  # a folder that may be passed, not read
        parent = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def _refused(path: Path, error: OSError) -> ConfigurationError:
    link = error.errno in (errno.ELOOP, errno.ENOTDIR)
    why = "it is a symbolic link, or no folder" if link else printable(error.strerror or str(error))
    part = f" ({printable(str(error.filename))})" if error.filename not in (None, str(path), path) else ""
    return ConfigurationError(
        f"the folder {printable(str(path))} cannot be used for a backup: {why}{part}. Name another one, in a folder"
        " that can be written"
    )


def _remove_folder(name: str, parent_fd: int) -> None:
    """Remove what a crash has left of a flow's folder."""
    try:
        fd = os.open(name, _FOLDER, dir_fd=parent_fd)
    except FileNotFoundError:
        return
    try:
        for file in (DETAILS, FLOW_JSON):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(file, dir_fd=fd)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent_fd)


def _exists(name: str, folder_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
