"""Flows are written in a thread, together where they come together."""

import asyncio
import errno
import threading
from collections.abc import Sequence

import pytest

from flowreaper.errors import OutputError
from flowreaper.safeguards.backup_entry import Origin, Saved
from flowreaper.safeguards.backup_writer import BackupWriter
from tests.safeguards.samples import ORIGIN, saved


class Folder:
    """Keeps what it is given; each write waits until it may go on."""

    name = "saved"

    def __init__(self, error: OSError | None = None) -> None:
        self.written: list[list[str]] = []
        self.may_write = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self._error = error

    def save(self, flows: Sequence[Saved], origin: Origin) -> None:
        assert origin == ORIGIN
        self.begun.release()
        self.may_write.acquire()
        if self._error:
            raise self._error
        self.written.append([each.details.flow.flow_id for each in flows])


async def test_what_comes_during_a_write_is_written_together_by_the_next() -> None:
    folder = Folder()
    async with BackupWriter(folder, ORIGIN) as writer:
        first = asyncio.create_task(writer.put(saved("1")))
        await asyncio.to_thread(folder.begun.acquire)
        others = [asyncio.create_task(writer.put(saved(str(number)))) for number in (2, 3)]
        await asyncio.sleep(0)
        assert not first.done()
        folder.may_write.release()
        await first
        assert folder.written == [["1"]]
        folder.may_write.release()
        await asyncio.gather(*others)
    assert folder.written == [["1"], ["2", "3"]]


async def test_the_writer_ends_after_what_it_writes_even_if_nobody_waits_for_that_any_more() -> None:
    folder = Folder()

    async def use() -> None:
        async with BackupWriter(folder, ORIGIN) as writer:
            await writer.put(saved("1"))

    using = asyncio.create_task(use())
    await asyncio.sleep(0)
    await asyncio.to_thread(folder.begun.acquire)
    for _ in range(3):
        using.cancel()
        await asyncio.sleep(0.01)
        assert not using.done()
    folder.may_write.release()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert folder.written == [["1"]]


async def test_after_a_write_that_failed_nothing_more_is_written() -> None:
    folder = Folder(OSError(errno.ENOSPC, "No space left on device", "flow.json"))
    for _ in range(2):
        folder.may_write.release()
    async with BackupWriter(folder, ORIGIN) as writer:
        first = asyncio.create_task(writer.put(saved("1")))
        await asyncio.to_thread(folder.begun.acquire)
        second = asyncio.create_task(writer.put(saved("2")))
        for each in (first, second, asyncio.create_task(writer.put(saved("3")))):
            with pytest.raises(OutputError, match=r"backup saved: No space left on device \(flow.json\)"):
                await each
        with pytest.raises(OutputError):
            await writer.put(saved("4"))
    assert folder.written == []
