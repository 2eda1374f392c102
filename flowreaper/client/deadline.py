"""A call's deadline. It keeps answers that arrived while this process was stopped or its loop was busy."""

import asyncio
from types import TracebackType
from typing import Self

from flowreaper.client.sent_hook import Sending

LATE_S = 0.1
"""Seconds. A timer that fires later than this shows that the process was stopped, or the loop was busy."""

GRACE_S = 1.0
_MAX_GRACES = 5  # a loop that is always late must still end its calls


class Deadline:
    """Bounds the block of one call: `connect_s` seconds until it has a connection, `total_s` in all.

    After a SIGSTOP, for example, all timers are due, and the sockets already hold the answers. aiohttp's own timeouts
    would cancel these calls. Here, a call whose timer fires late gets `GRACE_S` more seconds to read its answer.

    Raises:
        TimeoutError: on leaving the block, if the time was up.
    """

    __slots__ = (
        "_call",
        "_cancelling",
        "_connect_s",
        "_due",
        "_expired",
        "_graces",
        "_loop",
        "_task",
        "_timer",
        "_total_at",
        "_total_s",
    )

    def __init__(self, call: Sending, *, connect_s: float, total_s: float) -> None:
        self._call = call
        self._connect_s = connect_s
        self._total_s = total_s
        self._graces = _MAX_GRACES
        self._expired = False

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        self._task = task
        self._cancelling = task.cancelling()
        now = self._loop.time()
        self._total_at = now + self._total_s
        self._arm(now + min(self._connect_s, self._total_s))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # As asyncio.timeout does: a cancellation by another task at the same time is kept.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _arm(self, at: float) -> None:
        self._due = at
        self._timer = self._loop.call_at(at, self._fire)

    def _fire(self) -> None:
        now = self._loop.time()
        if self._call.connected and now < self._total_at:
            self._arm(self._total_at)
        elif now - self._due > LATE_S and self._graces:
            self._graces -= 1
            self._arm(now + GRACE_S)
        else:
            self._expired = True
            self._task.cancel()
