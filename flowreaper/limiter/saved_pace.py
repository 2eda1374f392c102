"""What a run learned about its pace, saved with the job, so that the next run need not learn it again."""

import asyncio
from collections.abc import Awaitable, Callable

from flowreaper.errors import RunError
from flowreaper.limiter.sliding_window import Pace

NOTE = "pace_stretch_s"
"""The name of the note in the job's checkpoint: a widening in seconds."""

_EVERY_S = 5.0
_WORTH_SAVING = 0.1


def learned_pace(rate: float, noted: str) -> Pace:
    """Return a pace that begins with the widening of an earlier run, or with the least if the note makes no sense."""
    try:
        return Pace(rate, float(noted))
    except ValueError:
        return Pace(rate)


class SavedPace:
    """Saves what a pace has learned, every five seconds and on request.

    `note` saves a value under a name with the job, and may raise RunError; `failed` is called with that error.
    """

    def __init__(
        self, pace: Pace, note: Callable[[str, str], Awaitable[None]], failed: Callable[[RunError], None]
    ) -> None:
        self._pace = pace
        self._note = note
        self._failed = failed
        self._saved_s = pace.widening_s

    async def run(self) -> None:
        """Save every five seconds, so that a crash loses little; return only if that fails."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.save()
        except RunError as error:
            self._failed(error)

    async def save(self) -> None:
        """Save the widening if it has changed by more than a tenth; raises RunError."""
        widening_s = self._pace.widening_s
        if abs(widening_s - self._saved_s) > self._saved_s * _WORTH_SAVING:
            self._saved_s = widening_s
            await self._note(NOTE, f"{widening_s:.4f}")
