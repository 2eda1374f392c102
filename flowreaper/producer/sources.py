"""The sources of flow ids: files and pipes that could be opened, and their bytes.

What may live here: descriptors, polling, what is known of a file before its ids are read.
"""

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
    """A file or a pipe that could be opened; `open_sources` makes them.

    `name` is the path as given, escaped where it is not printable, ``-`` for standard input. `rereadable`
    is whether it can be read more than once. `fd` is None for a regular file, which is opened anew for each
    reading; `start` is where standard input stood if that is a regular file.

    `odd_quotes` is whether what can be read twice has an odd number of quotation marks.
    """

    name: str
    path: str
    rereadable: bool
    fd: int | None = None
    start: int = 0
    odd_quotes: bool = False

    @contextmanager
    def open(self) -> Iterator[int]:
        """Give a descriptor to read from the start on.

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
        """Read what can be read again through once, before anything is sent; 19 MB, a million ids, take 10 ms.

        Raises:
            InputError: it cannot be read, or is no UTF-8 text by its first bytes or a NUL byte.
        """
        if not self.rereadable:
            return
        quotes = 0
        with self.open() as fd:
            for chunk in encoding.require_text(_chunks(fd, self.name, _INSPECT_CHUNK), self.name):
                quotes += chunk.count(b'"')
        self.odd_quotes = quotes % 2 == 1

    def chunks(self, fd: int, before_read: Callable[[int], None]) -> Iterator[bytes]:
        """Read on from where `open` gave `fd`, to the end; `before_read` is called before each read.

        Raises:
            InputError: it cannot be read.
        """
        return _chunks(fd, self.name, _CHUNK, before_read)

    def close(self) -> None:
        """Let go of a pipe; standard input is not ours to close."""
        if self.fd is not None and not self.rereadable:
            if self.path:
                with suppress(OSError):
                    os.close(self.fd)
            self.fd = _CLOSED


def open_sources(arguments: Sequence[str | os.PathLike[str]], stdin: int) -> list[Source]:
    """Check that every argument can be read and is text, and return them in order; ``-`` is the descriptor `stdin`.

    What cannot be opened twice (named pipes, process substitutions, terminals) is kept open; close it with
    `Source.close` if it is never read.

    Raises:
        InputError: one is missing, unreadable, a directory or no text, or ``-`` is there twice; nothing stays
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
    if flags & os.O_ACCMODE == os.O_WRONLY:  # polling it would wait for ever
        raise InputError("-: standard input is open for writing only; give a file or a pipe")
    return Source("-", "", rereadable=stat.S_ISREG(mode), fd=fd, start=start)


def _opened(path: str) -> int:
    name = printable(path, _PATH_LIMIT)
    try:
        fd = os.open(path, _FLAGS)
    except OSError as error:
        raise InputError(f"{name}: cannot be opened: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{name}: cannot be opened: this is no path") from None
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
        except BlockingIOError:  # somebody else read first, or the descriptor does not block
            continue
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror}") from None
        if not chunk:
            return
        yield chunk


def wait_for_any(*fds: int) -> None:
    """Wait until one of the descriptors can be read or is at its end."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    poller.poll()
