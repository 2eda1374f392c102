"""One operation's pace: a limiter whose permits go to one waiter after the other."""

import asyncio
from typing import Protocol


class Permit(Protocol):
    """Permission to send one call."""

    @property
    def granted_at(self) -> float:
        """When it was granted, in seconds on the event loop's clock."""
        ...

    def is_fresh(self) -> bool:
        """Return whether the call may still be sent."""
        ...

    def sent(self) -> None:
        """Record that the call was sent, or never will be."""
        ...


class Limiter(Protocol):
    """The pace of one operation. Only one task at a time waits in `acquire`."""

    async def acquire(self) -> Permit:
        """Wait until a call may be sent."""
        ...

    def throttled(self, sent_at: float, retry_after_s: float, /) -> None:
        """Slow down: a call sent at `sent_at` was refused for its pace, with a wish to wait this long (or 0)."""
        ...


class PacedOperation:
    """One operation's pace: hands its permits to one waiter after the other."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._turn = asyncio.Lock()
        self.throttled = limiter.throttled

    async def acquire(self) -> Permit:
        """Wait until a call may be sent."""
        async with self._turn:
            return await self._limiter.acquire()
