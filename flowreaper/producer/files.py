"""Reads files and pipes in a thread, and delivers their flows in batches.

`flowreaper.producer.formats` knows what the bytes mean.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import PurePath

from flowreaper.errors import InputError
from flowreaper.model import AnyEntry
from flowreaper.producer.formats import InputSettings, may_be_csv, parse_entries
from flowreaper.producer.producer import BATCH_SIZE, Batch, Deliver
from flowreaper.producer.sources import Source, wait_for_any


def read_entries(
    source: Source, settings: InputSettings, before_read: Callable[[int], None] = wait_for_any
) -> Iterator[AnyEntry]:
    """Read one source in the calling thread, to its end; then close it, if it is a pipe.

    `before_read` is called with the descriptor before each read, and returns when there is something to read. The
    default waits without a limit.

    Raises:
        InputError: the source cannot be read, or is not in its format.
    """
    try:
        with source.open() as fd:
            chunks = source.chunks(fd, before_read)
            suffix = PurePath(source.path).suffix
            yield from parse_entries(chunks, source=source.name, suffix=suffix, settings=settings)
    finally:
        source.close()


class FilesProducer:
    """Reads sources in their order, in a thread of its own, and delivers batches of up to `batch_size` entries.

    - It reads on only after `deliver` has returned.
    - Before it waits for a pipe, it delivers what it has read; only a line without its end is held.
    - It runs once.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        settings: InputSettings,
        deliver: Deliver,
        batch_size: int = BATCH_SIZE,
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

        A cancelled `run` cancels its delivery, too.

        Raises:
            InputError: a source cannot be read or is not in its format; what came before was delivered.
            Exception: what `deliver` raised.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Exception | None] = loop.create_future()
        sleeper, self._waker = socket.socketpair()
        # A daemon thread: a read that hangs (a dead network file system) must not keep the process alive.
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
        """Read no more; `run` delivers what was read, and returns. May be called from any thread, repeatedly."""
        self._stopping.set()
        if self._waker:
            with suppress(OSError):  # the thread has ended and closed it
                self._waker.send(b"\0")

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
        with suppress(RuntimeError):  # the loop is closed: nothing waits for this any more
            loop.call_soon_threadsafe(ended.set_result, error)

    def _read(self, loop: asyncio.AbstractEventLoop, wake: int) -> None:
        for source in self._sources:
            # An unclosed quotation mark swallows ids. Reading the file once more finds it before anything is sent.
            if source.odd_quotes and may_be_csv(PurePath(source.path).suffix, self._settings):
                for _ in read_entries(source, self._settings, self._before_read(source, loop, wake)):
                    pass
        for source in self._sources:
            try:
                for entry in read_entries(source, self._settings, self._before_read(source, loop, wake)):
                    self._batch.append(entry)
                    if len(self._batch) >= self._batch_size:
                        self._flush(loop)
            except (InputError, _StoppedError):  # what was read is still delivered
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
                wait_for_any(fd, wake)
            if self._stopping.is_set():
                raise _StoppedError

        return wait

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        batch, self._batch = self._batch, []
        if not batch:
            return
        if self._abandoned.is_set():
            raise _StoppedError
        self._delivery = asyncio.run_coroutine_threadsafe(self._deliver_batch(batch), loop)
        if self._abandoned.is_set():  # set since: run() may have looked for the delivery too early
            self._delivery.cancel()
        self._delivery.result()

    async def _deliver_batch(self, batch: Batch) -> None:
        await self._deliver(batch)


class _StoppedError(Exception):
    """Unwinds the reading thread."""
