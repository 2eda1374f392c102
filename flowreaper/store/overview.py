"""All that a checkpoint holds but its records: what status, summary and report show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowreaper.model import Cause
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.store import Status
from flowreaper.store.verification import Remaining, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a checkpoint held at one moment.

    `causes` say why flows ended other than by a confirmed deletion, what needs a person first. `sources` and `spaces`
    count the flows by source, in the order of reading, and by space, the most first; "" is the account's own space.
    `runs`, `minutes` and `verifications` are in their order; a checkpoint that no run has opened since version 1 has
    none. `remaining` are the flows that are there although they should be gone.
    """

    status: Status
    causes: tuple[Cause, ...] = ()
    sources: Mapping[str, int]
    spaces: Mapping[str, int]
    runs: tuple[PastRun, ...] = ()
    minutes: tuple[Minute, ...] = ()
    verifications: tuple[Verification, ...] = ()
    remaining: Remaining = field(default_factory=Remaining)

    @property
    def live_run(self) -> PastRun | None:
        """The run that is going on; None where there is none, or it has not begun its part of the history yet.

        A run has the checkpoint for some time before it begins that: until then the last of `runs` is an earlier one,
        which may have been cut off. In containers it may have had the same pid and host.
        """
        holder, last = self.status.holder, self.runs[-1] if self.runs else None
        if not self.status.live or holder is None or last is None or last.ended_at_ms is not None:
            return None
        same = (last.pid, last.host) == (holder.pid, holder.host)
        return last if same and last.started_at_ms >= holder.since.timestamp() * 1000 else None
