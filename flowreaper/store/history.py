"""What a checkpoint remembers of its runs: one value a run, one a minute of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowreaper.model import Ending, State

SEEN_EVERY_S = 5.0
"""How often a run writes into its history that it is there, at least, also while it has nothing to do: in seconds."""

_LEAST_S = 1.0


def mean_pace(calls: int, seconds: float, rate: float) -> float:
    """Return how many calls a second a run made that was to make `rate`.

    The last call takes up an interval, too: a run of 30 calls at 5/s ends after 5.8 s, and its pace is not 5.17/s.
    """
    return calls / max(_LEAST_S, seconds + (min(60, 1 / rate) if rate else 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run over a checkpoint. Times are in milliseconds since the epoch.

    `number` counts from 1. `elapsed_s` is how long it ran by a clock that nobody sets, 0 where that is not known.
    `seen_at_ms` is when the run last wrote, at most some seconds before it was cut off.
    `ended_at_ms` and `ending` are None while it goes on, and for ever where it was killed. `error` is why it stopped,
    as a message of one line; empty where nothing went wrong. `access_key` is masked. `rate` is what was asked for, in
    calls a second. `counts` are this run's outcomes by state.
    """

    number: int = 0
    started_at_ms: int
    seen_at_ms: int
    ended_at_ms: int | None = None
    ending: Ending | None = None
    error: str = ""
    version: str
    host: str
    pid: int
    access_key: str
    rate: float
    elapsed_s: float = 0.0
    counts: Mapping[State, int] = field(default_factory=dict)
    calls: int = 0
    throttled: int = 0

    @property
    def seconds(self) -> float:
        """How long it ran, as far as is known."""
        return self.elapsed_s or max(0, (self.ended_at_ms or self.seen_at_ms) - self.started_at_ms) / 1000

    @property
    def calls_per_s(self) -> float:
        """Its mean pace."""
        return mean_pace(self.calls, self.seconds, self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What one run did in one minute of the clock.

    A minute in which nothing happened has none.

    `run` is the run's number, `at_s` the minute's beginning in seconds since the epoch. `refused` counts the flows that
    were refused or given up. `permitted_per_s` is the pace that the limiter permitted at the end, in calls a second.
    `silent_s` is for how many seconds of it nothing answered.
    """

    run: int
    at_s: int
    calls: int = 0
    deleted: int = 0
    absent: int = 0
    refused: int = 0
    throttled: int = 0
    permitted_per_s: float = 0.0
    silent_s: float = 0.0
