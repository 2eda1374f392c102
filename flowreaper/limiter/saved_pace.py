"""What a run learned about its pace, kept with the job, so that the next run need not learn it again."""

import asyncio
from collections.abc import Awaitable, Callable

from flowreaper.errors import RunError
from flowreaper.limiter.pace import Pace

NOTE = "pace_stretch_s"
"""The name under which the job holds it."""

_EVERY_S = 5.0
_WORTH_KEEPING = 0.1


def learned_pace(rate: float, noted: str) -> Pace:
    """Return the pace of an account that was noted by an earlier run; a new one where nothing was, or nonsense."""
    try:
        return Pace(rate, float(noted))
    except ValueError:
        return Pace(rate)


class KeptPace:
    """Notes what a pace has learned, now and then, and when told.

    `note` keeps a value under a name with the job, and may raise RunError; `failed` is called with that error.
    """

    def __init__(
        self, pace: Pace, note: Callable[[str, str], Awaitable[None]], failed: Callable[[RunError], None]
    ) -> None:
        self._pace = pace
        self._note = note
        self._failed = failed
        self._kept_s = pace.widening_s

    async def run(self) -> None:
        """Note it every five seconds, so that a crash loses little; return only where that fails."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.keep()
        except RunError as error:
            self._failed(error)

    async def keep(self) -> None:
        """Note it if it has changed by more than a tenth; raises RunError."""
        widening_s = self._pace.widening_s
        if abs(widening_s - self._kept_s) > self._kept_s * _WORTH_KEEPING:
            self._kept_s = widening_s
            await self._note(NOTE, f"{widening_s:.4f}")
