"""Writes flows into a backup's folder in a thread: those that come meanwhile are written together, with fewer syncs."""

import asyncio
from types import TracebackType
from typing import Protocol, Self

from flowreaper.errors import OutputError
from flowreaper.escaping import printable
from flowreaper.safeguards.backup_entry import Origin, Saved

_BATCH = 50


class Folder(Protocol):
    """Where flows are written; `BackupFolder` is one."""

    @property
    def name(self) -> str:
        """Its path, for messages."""
        ...

    def save(self, flows: list[Saved], origin: Origin, /) -> None:
        """Save flows durably; blocks, and raises OSError."""
        ...


class BackupWriter:
    """Writes into one folder, from `__aenter__` to `__aexit__`. After a write that failed, it writes no more."""

    def __init__(self, folder: Folder, origin: Origin) -> None:
        self._folder = folder
        self._origin = origin
        self._waiting: list[tuple[Saved, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._error: OutputError | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled: asyncio.CancelledError | None = None
        while self._writing is not None and not self._writing.done():
            try:
                await asyncio.wait((self._writing,))
            except asyncio.CancelledError as again:
                cancelled = again  # later: the thread uses the folder, which is closed next
        if cancelled is not None:
            raise cancelled

    async def put(self, saved: Saved) -> None:
        """Save a flow; it is durable when this returns.

        Raises:
            OutputError: it cannot be written, or an earlier one could not.
        """
        if self._error is not None:
            raise self._error
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((saved, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        await done

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            if self._error is None:
                try:
                    await asyncio.to_thread(self._folder.save, [saved for saved, _ in batch], self._origin)
                except OSError as error:
                    self._error = _cannot_write(self._folder.name, error)
            for _, done in batch:
                if done.done():  # nobody waits for it any more
                    continue
                if self._error is None:
                    done.set_result(None)
                else:
                    done.set_exception(self._error)


def _cannot_write(name: str, error: OSError) -> OutputError:
    why = printable(error.strerror or str(error))
    part = f" ({printable(str(error.filename))})" if error.filename else ""
    return OutputError(
        f"cannot write to the backup {name}: {why}{part}. A flow that is not saved is not deleted, so nothing more was"
        " sent. Mend that, then go on"
    )
