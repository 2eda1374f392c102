"""A run's `Store`: the one thread that uses the checkpoint, so that the event loop does not wait for the disk."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from flowreaper.model import Added, AnyEntry, Change, Claim
from flowreaper.store.sqlite.checkpoint import Checkpoint

T = TypeVar("T")

_CHECK_S = 1.0


class Writer:
    """A `Store`: runs a checkpoint's transactions in its thread, one after another, in the order of the calls.

    Every method raises CheckpointError where the checkpoint does.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        """Keep what was read; durable when it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.add, entries)

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        """Record and claim in one transaction, as `Store.write`; durable when it returns."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._checkpoint.write, changes, new, rows
        )

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        """Return what `write` would claim, as `Store.look`."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._checkpoint.look, new, rows
        )

    async def note(self, name: str, value: str) -> None:
        """Keep a value about the whole job; durable when it returns."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.note, name, value)

    async def watch(self, failed: Callable[[Exception], None]) -> None:
        """Check the file every second, whether or not anything is recorded; return only where that fails."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(_CHECK_S)
                await loop.run_in_executor(self._thread, self._checkpoint.check)
        except Exception as error:  # noqa: BLE001 -- nothing may go on unwatched
            failed(error)

    async def call(self, work: Callable[[], T]) -> T:
        """Do other work with the checkpoint, in the only thread that may."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def unlisted(self) -> int:
        """Count the unfinished flows that the input did not list."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.unlisted)

    async def spaces(self) -> list[str]:
        """Return the spaces of the flows that this run is to call, as far as its input was read."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.spaces)

    def note_now(self, name: str, value: str) -> None:
        """Do as `note`, from any thread; blocks until it is durable."""
        self._thread.submit(self._checkpoint.note, name, value).result()

    def close(self) -> None:
        """Wait for the transactions in progress, then end the thread."""
        self._thread.shutdown()
