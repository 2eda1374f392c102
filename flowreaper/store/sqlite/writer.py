"""The one thread that writes the checkpoint while the event loop goes on."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from flowreaper.model import Added, Change, Claim, Entry, InvalidEntry

T = TypeVar("T")

_CHECK_S = 1.0


class Transactions(Protocol):
    """A checkpoint's writing methods: each blocks, and is durable when it returns."""

    def add(self, entries: Sequence[Entry | InvalidEntry]) -> Added:
        """Keep what was read."""
        ...

    def write(self, changes: Sequence[Change], new: int = 0, again: Sequence[int] = ()) -> list[Claim]:
        """Record and claim."""
        ...

    def note(self, name: str, value: str) -> None:
        """Keep something about the job as a whole."""
        ...

    def unlisted(self) -> int:
        """Count the unfinished flows that the input did not list."""
        ...

    def check(self) -> None:
        """Make sure that the file is still this run's."""
        ...


class Writer:
    """A checkpoint's transactions as coroutines: run one after another, in the order of the calls.

    Every method raises CheckpointError where the checkpoint does.
    """

    def __init__(self, checkpoint: Transactions) -> None:
        self._checkpoint = checkpoint
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")

    async def add(self, entries: Sequence[Entry | InvalidEntry]) -> Added:
        """Keep what was read; durable when it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.add, entries)

    async def write(self, changes: Sequence[Change], new: int = 0, again: Sequence[int] = ()) -> list[Claim]:
        """Record and claim in one transaction; durable when it returns."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, self._checkpoint.write, changes, new, again
        )

    async def note(self, name: str, value: str) -> None:
        """Keep something about the job as a whole; durable when it returns."""
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
        """Do other work with the checkpoint; it has one thread, and this is the one."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def unlisted(self) -> int:
        """Count the unfinished flows that the input did not list."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._checkpoint.unlisted)

    def note_now(self, name: str, value: str) -> None:
        """Do as `note`, from any thread, which waits."""
        self._thread.submit(self._checkpoint.note, name, value).result()

    def close(self) -> None:
        """Wait for what is under way, then end the thread."""
        self._thread.shutdown()
