"""Takes items out of any iterable without keeping the event loop waiting: a plain one runs in a thread of its own."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from typing import Protocol

from flowreaper.producer.producer import BATCH_SIZE


class Pull(Protocol):
    """The items of an iterable, as they come. It starts with the first `take`, and is used by one task."""

    @property
    def error(self) -> BaseException | None:
        """What the iterable raised; known once `take` has returned nothing."""
        ...

    async def take(self, most: int) -> list[object]:
        """Return what has come, up to `most` items, or wait for one; an empty list at the end."""
        ...

    def stop(self) -> None:
        """Ask the iterable for no more; what has come can still be taken."""
        ...

    async def close(self) -> None:
        """Stop, and leave nothing behind but a thread whose iterable does not return."""
        ...


def pull(items: Iterable[object] | AsyncIterable[object], ahead: int = BATCH_SIZE) -> Pull:
    """Return what takes the items; at most `ahead` of them wait to be taken, and one more may be asked for.

    Raises:
        TypeError: `items` cannot be iterated.
    """
    if isinstance(items, AsyncIterable):
        return AsyncPull(items, ahead)
    return ThreadPull(items, ahead)


class ThreadPull:
    """A `Pull` of a plain iterable, which runs in a thread of its own, with the context variables of the first `take`.

    Nobody waits for the thread: an iterable may block for ever. What it yields after `stop` is dropped.
    """

    def __init__(self, items: Iterable[object], ahead: int) -> None:
        self._items = iter(items)
        self._ahead = ahead
        self._changed = threading.Condition()
        self._held: deque[object] = deque()
        self._stopped = False
        self._ended = False
        self._thread: threading.Thread | None = None
        self._came = asyncio.Event()
        self.error: BaseException | None = None

    async def take(self, most: int) -> list[object]:
        """As `Pull`."""
        if self._thread is None and not self._stopped:
            loop, context = asyncio.get_running_loop(), contextvars.copy_context()
            # A daemon thread: an iterable that blocks must not keep the process alive.
            self._thread = threading.Thread(
                target=context.run, args=(self._work, loop), name="flows", daemon=True
            )
            self._thread.start()
        while True:
            self._came.clear()
            with self._changed:
                if self._held:
                    self._changed.notify_all()
                    return [self._held.popleft() for _ in range(min(most, len(self._held)))]
                if self._ended or self._stopped:
                    return []
            await self._came.wait()

    def stop(self) -> None:
        """As `Pull`."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._came.set()

    async def close(self) -> None:
        """As `Pull`."""
        self.stop()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._hold(item, loop):
                    return
        except BaseException as caught:  # noqa: BLE001 -- the caller of `delete` gets it
            error = caught
        with self._changed:
            if self._stopped:
                return
            self.error = error
            self._ended = True
        self._wake(loop)

    def _hold(self, item: object, loop: asyncio.AbstractEventLoop) -> bool:
        """Let an item wait to be taken, then wait until there is room for the next; return False once stopped."""
        with self._changed:
            if self._stopped:
                return False
            self._held.append(item)
            if len(self._held) == 1:
                self._wake(loop)
            self._changed.wait_for(lambda: self._stopped or len(self._held) < self._ahead)
            return not self._stopped

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._came.set)


class AsyncPull:
    """A `Pull` of an async iterable, which runs in a task of its own; `stop` cancels that."""

    def __init__(self, items: AsyncIterable[object], ahead: int) -> None:
        self._items = items
        self._ahead = ahead
        self._held: deque[object] = deque()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._has_room = asyncio.Event()
        self.error: BaseException | None = None

    async def take(self, most: int) -> list[object]:
        """As `Pull`."""
        if self._task is None and not self._stopped:
            self._task = asyncio.create_task(self._read())
            self._task.add_done_callback(lambda _: self._came.set())
        while True:
            self._came.clear()
            if self._held:
                self._has_room.set()
                return [self._held.popleft() for _ in range(min(most, len(self._held)))]
            if self._task is None or self._task.done():
                return []
            await self._came.wait()

    def stop(self) -> None:
        """As `Pull`."""
        self._stopped = True
        if self._task:
            self._task.cancel()

    async def close(self) -> None:
        """As `Pull`."""
        self.stop()
        if self._task:
            await asyncio.wait([self._task])

    async def _read(self) -> None:
        try:
            async for item in self._items:
                self._held.append(item)
                self._came.set()
                while len(self._held) >= self._ahead:
                    self._has_room.clear()
                    await self._has_room.wait()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- the caller of `delete` gets it
            if not self._stopped:
                self.error = error
