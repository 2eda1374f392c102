"""The sources of flow ids: opens files and pipes, and reads their bytes."""

import fcntl
import os
import select
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.producer import encoding

_CHUNK = 64 * 1024
_INSPECT_CHUNK = 1024 * 1024
_PATH_LIMIT = 4096
_CLOSED = -1
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # opening a named pipe must not wait for its writer


@dataclass(slots=True)
class Source:
    """A file or a pipe; `open_sources` makes them.

    - `name`: the path as given, with unprintable characters escaped; ``-`` for standard input.
    - `path`: the path to open; empty for standard input.
    - `rereadable`: whether it can be read more than once.
    - `fd`: the open descriptor; None for a regular file, which is opened for each reading.
    - `start`: the offset to read from, if standard input is a regular file.
    - `odd_quotes`: whether a rereadable source has an odd number of quotation marks; `inspect` counts them.
    """

    name: str
    path: str
    rereadable: bool
    fd: int | None = None
    start: int = 0
    odd_quotes: bool = False

    @contextmanager
    def open(self) -> Iterator[int]:
        """Yield a descriptor, at the start of the source.

        Raises:
            InputError: a pipe was read before, or the file is gone.
        """
        if self.fd == _CLOSED:
            raise InputError(f"{self.name}: a pipe can be read only once")
        if self.fd is not None:
            if self.rereadable:
                os.lseek(self.fd, self.start, os.SEEK_SET)
            yield self.fd
            return
        fd = _opened(self.path)
        try:
            yield fd
        finally:
            os.close(fd)

    def inspect(self) -> None:
        """Read a rereadable source once, before anything is sent; a million ids (19 MB) take 10 ms.

        Raises:
            InputError: it cannot be read; or its first bytes or a NUL byte show that it is no UTF-8 text.
        """
        if not self.rereadable:
            return
        quotes = 0
        with self.open() as fd:
            for chunk in encoding.require_text(_chunks(fd, self.name, _INSPECT_CHUNK), self.name):
                quotes += chunk.count(b'"')
        self.odd_quotes = quotes % 2 == 1

    def chunks(self, fd: int, before_read: Callable[[int], None]) -> Iterator[bytes]:
        """Read from `fd`, which `open` gave, to the end; `before_read` is called before each read.

        Raises:
            InputError: it cannot be read.
        """
        return _chunks(fd, self.name, _CHUNK, before_read)

    def close(self) -> None:
        """Close a pipe; standard input is never closed."""
        if self.fd is not None and not self.rereadable:
            if self.path:
                with suppress(OSError):
                    os.close(self.fd)
            self.fd = _CLOSED


def open_sources(arguments: Sequence[str | os.PathLike[str]], stdin: int) -> list[Source]:
    """Return the sources in order, checked: each can be read and is text. ``-`` is the descriptor `stdin`.

    A source that cannot be opened twice (a named pipe, a process substitution, a terminal) stays open. Close it with
    `Source.close` if it is never read.

    Raises:
        InputError: a source is missing, unreadable, a directory or no text, or ``-`` is given twice. Nothing stays
            open.
    """
    paths = [os.fspath(argument) for argument in arguments]
    if paths.count("-") > 1:
        raise InputError("-: standard input can be read only once; give it once")
    sources: list[Source] = []
    try:
        for path in paths:
            sources.append(_standard_input(stdin) if path == "-" else _file(path))
            sources[-1].inspect()
    except InputError:
        for source in sources:
            source.close()
        raise
    return sources


def _file(path: str) -> Source:
    name = printable(path, _PATH_LIMIT)
    fd = _opened(path)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return Source(name, path, rereadable=True)
    return Source(name, path, rereadable=False, fd=fd)


def _standard_input(fd: int) -> Source:
    try:
        mode = os.fstat(fd).st_mode
        start = os.lseek(fd, 0, os.SEEK_CUR) if stat.S_ISREG(mode) else 0
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError as error:
        raise InputError(f"-: standard input cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        raise InputError("-: standard input is a directory; give a file or a pipe")
    if flags & os.O_ACCMODE == os.O_WRONLY:  # polling it would never return
        raise InputError("-: standard input is open for writing only; give a file or a pipe")
    return Source("-", "", rereadable=stat.S_ISREG(mode), fd=fd, start=start)


def _opened(path: str) -> int:
    name = printable(path, _PATH_LIMIT)
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        raise InputError(f"{name}: cannot be opened: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{name}: cannot be opened: it is no path") from None
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"{name}: is a directory; give the files in it")
    return fd


def _chunks(
    fd: int, name: str, size: int, before_read: Callable[[int], None] = lambda _fd: None
) -> Iterator[bytes]:
    while True:
        before_read(fd)
        try:
            chunk = os.read(fd, size)
        except BlockingIOError:  # another process read first, or the descriptor does not block
            continue
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror}") from None
        if not chunk:
            return
        yield chunk


def wait_for_any(*fds: int) -> None:
    """Wait, without a limit, until one of the descriptors can be read or is at its end."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    poller.poll()
