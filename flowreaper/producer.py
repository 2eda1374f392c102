"""The edge to files and pipes: opens sources, reads them in a thread, hands over batches of entries.

What may live here: descriptors, polling, the reading thread. What the bytes mean is `flowreaper.formats`'.
"""

import asyncio
import fcntl
import os
import select
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePath

from flowreaper import encoding
from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.formats import InputSettings, entries
from flowreaper.model import Entry, InvalidEntry

Batch = list[Entry | InvalidEntry]

_CHUNK = 64 * 1024
_PATH_LIMIT = 4096
_CLOSED = -1
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # opening a named pipe must not wait for its writer


@dataclass(slots=True)
class Source:
    """A file or a pipe that could be opened; `open_sources` makes them.

    `name` is the path as given, escaped where it is not printable, ``-`` for standard input. `rereadable`
    is whether it can be read more than once. `fd` is None for a regular file, which is opened anew for each
    reading; `start` is where standard input stood if that is a regular file.
    """

    name: str
    path: str
    rereadable: bool
    fd: int | None = None
    start: int = 0
    digest: str = ""
    read_whole: bool = False

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

    def close(self) -> None:
        """Let go of a pipe; standard input is not ours to close."""
        if self.fd is not None and not self.rereadable:
            if self.path:
                with suppress(OSError):
                    os.close(self.fd)
            self.fd = _CLOSED


def open_sources(arguments: Sequence[str | os.PathLike[str]], stdin: int) -> list[Source]:
    """Check that every argument can be read, and return them in order; ``-`` is the descriptor `stdin`.

    What cannot be opened twice (named pipes, process substitutions, terminals) is kept open; close it with
    `Source.close` if it is never read.

    Raises:
        InputError: one is missing, unreadable or a directory, or ``-`` is there twice; nothing stays open.
    """
    paths = [os.fspath(argument) for argument in arguments]
    if paths.count("-") > 1:
        raise InputError("-: standard input can be read only once; give it once")
    sources: list[Source] = []
    try:
        for path in paths:
            sources.append(_standard_input(stdin) if path == "-" else _file(path))  # noqa: PERF401 -- those before a bad one are closed
    except InputError:
        for source in sources:
            source.close()
        raise
    return sources


def read_entries(
    source: Source, settings: InputSettings, before_read: Callable[[int], None] | None = None
) -> Iterator[Entry | InvalidEntry]:
    """Read one source in the calling thread, to its end; a pipe is closed after it.

    `before_read` is called with the descriptor before each read and returns when that can be read; the
    default waits for as long as it takes.

    Raises:
        InputError: the source cannot be read, or is not in its format.
    """
    suffix = PurePath(source.path).suffix
    try:
        with source.open() as fd:
            chunks = _chunks(fd, source.name, before_read or _wait)
            yield from entries(chunks, source=source.name, suffix=suffix, settings=settings)
    finally:
        source.close()


class Producer:
    """Reads sources, in order, in a thread of its own, and hands over batches of up to `batch_size`.

    Nothing more is read until `deliver` has returned. What was read of a pipe is delivered before the pipe
    is waited for; only a line without its end stays behind. Runs once.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: InputSettings,
        deliver: Callable[[Batch], Awaitable[None]],
        batch_size: int = 1000,
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._deliver = deliver
        self._batch_size = batch_size
        self._batch: Batch = []
        self._stopping = threading.Event()
        self._abandoned = threading.Event()
        self._delivery: Future[None] | None = None
        self._waker: socket.socket | None = None

    async def run(self) -> None:
        """Read until every source is at its end, or `stop`.

        Cancelling it cancels the delivery under way. Raises what `deliver` raises.

        Raises:
            InputError: a source cannot be read or is not in its format; what came before was delivered.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Exception | None] = loop.create_future()
        sleeper, self._waker = socket.socketpair()
        # A daemon: a read that hangs (a dead network file system) must not keep the process alive.
        threading.Thread(target=self._work, args=(loop, sleeper, ended), name="producer", daemon=True).start()
        try:
            error = await asyncio.shield(ended)
        except asyncio.CancelledError:
            self._abandoned.set()
            self.stop()
            if self._delivery:
                self._delivery.cancel()
            await asyncio.wait([ended], timeout=1)
            raise
        if error:
            raise error

    def stop(self) -> None:
        """Read no more; `run` returns once what was read is delivered. Callable from any thread, repeatedly."""
        self._stopping.set()
        if self._waker:
            with suppress(OSError):  # the thread has ended and closed it
                self._waker.send(b"\0")

    def read_whole(self) -> list[str]:
        """Return the names of the sources that were read to their end and had their digest until then."""
        return [source.name for source in self._sources if source.read_whole]

    def _work(
        self, loop: asyncio.AbstractEventLoop, sleeper: socket.socket, ended: asyncio.Future[Exception | None]
    ) -> None:
        error: Exception | None = None
        try:
            self._read(loop, sleeper.fileno())
        except _StoppedError:
            pass
        except Exception as caught:  # noqa: BLE001 -- run() raises it in the loop's thread
            error = caught
        finally:
            for source in self._sources:
                source.close()
            sleeper.close()
            if self._waker:
                self._waker.close()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set_result, error)

    def _read(self, loop: asyncio.AbstractEventLoop, wake: int) -> None:
        for source in self._sources:
            try:
                for entry in read_entries(source, self._settings, self._before_read(source, loop, wake)):
                    self._batch.append(entry)
                    if len(self._batch) >= self._batch_size:
                        self._flush(loop)
            except (InputError, _StoppedError):  # what was read is kept all the same
                self._flush(loop)
                raise
            self._flush(loop)

    def _before_read(
        self, source: Source, loop: asyncio.AbstractEventLoop, wake: int
    ) -> Callable[[int], None]:
        def wait(fd: int) -> None:
            if not source.rereadable:
                self._flush(loop)
            if not self._stopping.is_set():
                _wait(fd, wake)
            if self._stopping.is_set():
                raise _StoppedError

        return wait

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        if self._abandoned.is_set():
            raise _StoppedError
        self._delivery = asyncio.run_coroutine_threadsafe(self._hand_over(batch), loop)
        if self._abandoned.is_set():  # set since: run() may have looked for the delivery too early
            self._delivery.cancel()
        self._delivery.result()

    async def _hand_over(self, batch: Batch) -> None:
        await self._deliver(batch)


class _StoppedError(Exception):
    """Unwinds the reading thread."""


def _file(path: str) -> Source:
    name = printable(path, _PATH_LIMIT)
    fd = _opened(path)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        head = b""
        with suppress(OSError):  # told when it is read
            head = os.pread(fd, encoding.ENOUGH, 0)
        os.close(fd)
        encoding.check(head, name)
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


def _chunks(fd: int, name: str, before_read: Callable[[int], None]) -> Iterator[bytes]:
    while True:
        before_read(fd)
        try:
            chunk = os.read(fd, _CHUNK)
        except BlockingIOError:  # somebody else read first, or the descriptor does not block
            continue
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror}") from None
        if not chunk:
            return
        yield chunk


def _wait(*fds: int) -> None:
    """Wait until one can be read or is at its end."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    poller.poll()
