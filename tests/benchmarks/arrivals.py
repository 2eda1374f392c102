"""What a sandbox's ledger says of a client's pace."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FOREIGN_ID = "9"
"""How the ids of the other client begin."""

TOLERANCE_S = 0.005
# Arrivals are seen through two processes' schedulers: six in 995 ms count as six in a second, which a pace of
# 5.03/s would make.


@dataclass(frozen=True)
class Seen:
    """What a sandbox saw of one client: when calls arrived, and which of them it admitted."""

    times: list[float]
    admitted: list[float]

    @property
    def goodput(self) -> float:
        """Admitted calls a second, from the first call to the last."""
        return (len(self.admitted) - 1) / (self.times[-1] - self.times[0])

    @property
    def throttled_percent(self) -> float:
        """Throttled calls in a hundred."""
        return 100 * (1 - len(self.admitted) / len(self.times))

    def most_in_a_second(self, less_s: float = 0.0) -> int:
        """Most calls in any second that is shorter by so much."""
        most = first = 0
        for last, at in enumerate(self.times):
            while at - self.times[first] >= 1 - less_s:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass(frozen=True)
class Runs:
    """The same run several times; its figures are medians, except for what must never happen."""

    runs: list[Seen]

    @property
    def goodput(self) -> float:
        """Admitted calls a second."""
        return statistics.median(run.goodput for run in self.runs)

    @property
    def throttled_percent(self) -> float:
        """Throttled calls in a hundred."""
        return statistics.median(run.throttled_percent for run in self.runs)

    def most_in_a_second(self, less_s: float = 0.0) -> int:
        """Most calls in any such second of any run."""
        return max(run.most_in_a_second(less_s) for run in self.runs)

    @property
    def seconds(self) -> float:
        """Seconds from the first call to the last."""
        return statistics.median(run.times[-1] - run.times[0] for run in self.runs)


def seen(calls: Sequence[dict[str, Any]]) -> Seen:
    """Read a ledger; the other client's calls are left out."""
    own = [call for call in calls if not call["flow_id"].startswith(FOREIGN_ID)]
    return Seen([call["at_s"] for call in own], [call["at_s"] for call in own if call["code"] == "OK"])
