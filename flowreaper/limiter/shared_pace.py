"""What the limiter needs of whatever the runs of one account share."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Slot:
    """The answer to a run that wants to send a batch of calls: a slot that is reserved for it, or a wait."""

    retry_after_s: float
    """Ask again after this many seconds; 0: the slot is reserved."""

    index: int | None = None
    """How many slots the runs of the account reserved before; None where they cannot be counted."""

    time: float | None = None
    """When the slot was reserved, which names it; None where it is not recorded, and needs no `sent`."""


class SharedPace(Protocol):
    """The pace that the runs of one account keep together. One object is one run's access to it.

    `interval_s` and `widening_s` are the run's own pace (`flowreaper.limiter.sliding_window.Pace`); together the runs
    keep the pace of the fastest, with the widest window. Times are those of one clock, which the runs share and the
    limiter uses too. The methods do not block for longer than a timer may be late, and raise nothing: a run that cannot
    reach the others gets slots for its fair share of the rate, or waits.
    """

    @property
    def is_lost(self) -> bool:
        """Whether this run cannot reach the others now; `heartbeat` finds out when it can again."""
        ...

    def reserve(self, interval_s: float, widening_s: float) -> Slot:
        """Reserve a slot now, or return how long to wait before asking again.

        Who has reserved a slot with a time calls `sent` in the end.
        """
        ...

    def is_fresh(self, slot_time: float) -> bool:
        """Return whether the calls of the slot of this time may be sent now; if not, they need another slot."""
        ...

    def sent(self, slot_time: float, at: float) -> None:
        """Record when the last call of the slot of this time was sent, or that it never will be."""
        ...

    def heartbeat(self, interval_s: float, widening_s: float) -> None:
        """Let the others know that this run is alive, and that calls of its slots may be sent at any moment."""
        ...
