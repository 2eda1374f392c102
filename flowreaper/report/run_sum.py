"""Several runs added up. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowreaper.model import State
from flowreaper.store.history import PastRun


@dataclass(frozen=True, slots=True)
class RunSum:
    """Several runs added up, with the fields of one."""

    runs: Sequence[PastRun]

    @property
    def counts(self) -> Mapping[State, int]:
        """Their outcomes by state."""
        return sum((Counter(run.counts) for run in self.runs), Counter())

    @property
    def calls(self) -> int:
        """Their calls."""
        return sum(run.calls for run in self.runs)

    @property
    def throttled(self) -> int:
        """Their calls that the service throttled."""
        return sum(run.throttled for run in self.runs)

    @property
    def seconds(self) -> float:
        """How long they took together."""
        return sum(run.seconds for run in self.runs)

    @property
    def rate(self) -> float:
        """The highest pace that one of them asked for, in calls a second."""
        return max((run.rate for run in self.runs), default=0.0)
