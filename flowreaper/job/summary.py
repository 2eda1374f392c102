"""What a run reports: what it found at its start, what its input held, how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flowreaper.errors import OutcomesError
from flowreaper.model import FAILED, UNFINISHED, Cause, Ending, State
from flowreaper.store.history import mean_pace

_FAILED_WORDS = ((State.REFUSED, "refused"), (State.GAVE_UP, "given up"), (State.INVALID, "invalid"))


@dataclass(frozen=True, slots=True)
class Opened:
    """What a checkpoint holds when a run begins: flows by state, and how many of them will be called for sure."""

    counts: Mapping[State, int]
    to_call: int


@dataclass(frozen=True, slots=True)
class InputRead:
    """What an input held: flows to call, known or repeated ones, and unfinished ones that it does not list."""

    to_call: int
    repeated: int
    unlisted: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a run is. `done` are this run's outcomes by state, `left` the flows without one, as far as is known.

    `before` are the final outcomes of the job's earlier runs by state, less those that this run takes again. `in_doubt`
    counts the unfinished flows of the job that had a call without a reply. `silent_s` is for how long nothing has
    answered, None where there is no outage. `reading`: the input is not read to its end. `rate` is what was asked for,
    `permitted_per_s` what the limiter permits now, `other_clients_per_s` what other clients of the account seem to use
    (None without a sign of any); all three in calls a second. `limit` bounds the flows of this run, None: all.
    `stops_in_s` is in how many seconds the run stops at the latest, as it was asked to, None: never.
    """

    done: dict[State, int]
    left: int
    in_flight: int
    calls: int
    throttled: int
    silent_s: float | None
    reading: bool
    elapsed_s: float
    before: Mapping[State, int] = field(default_factory=dict)
    in_doubt: int = 0
    rate: float = 5.0
    permitted_per_s: float = 5.0
    other_clients_per_s: float | None = None
    limit: int | None = None
    stops_in_s: float | None = None

    @property
    def to_do(self) -> int:
        """The flows without an outcome that this run will call, as far as is known: `left` within the limit."""
        if self.limit is None:
            return self.left
        return max(0, min(self.left, self.limit - self.called))

    @property
    def called(self) -> int:
        """This run's outcomes, without invalid lines, which are never called."""
        return sum(count for state, count in self.done.items() if state is not State.INVALID)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did and what the checkpoint now holds.

    `counts` are of the whole checkpoint, by state; `this_run` are the outcomes of this run, by state. `seconds` is how
    long the run took, `calls` how many requests it sent, `throttled` how many of these the service throttled,
    `repeated` how many lines of the input it skipped, because their flow was done before or stood there twice.
    `read_all`: the input was read to its end.

    `in_doubt` counts the unfinished flows that had a call without a reply, `inferred` the deletions of this run that
    are known only because the flow was absent after such a call. `unlisted` counts the unfinished flows that the run
    left alone because its input does not list them: 0 where it had no input, None where that was not read to its end.
    `never_deleted`: the service has not confirmed a single deletion of this job. `causes` are the job's outcomes other
    than a confirmed deletion, by state, those that need a person first, then by number. `started_at_ms` is since the
    epoch, `rate` what was asked for, in calls a second.
    """

    ending: Ending
    counts: Mapping[State, int]
    this_run: Mapping[State, int]
    seconds: float
    calls: int
    throttled: int
    repeated: int
    read_all: bool = True
    error: Exception | None = None
    in_doubt: int = 0
    inferred: int = 0
    unlisted: int | None = 0
    never_deleted: bool = False
    causes: Sequence[Cause] = ()
    started_at_ms: int = 0
    rate: float = 5.0

    @property
    def calls_per_s(self) -> float:
        """The mean pace: calls a second over the whole run."""
        return mean_pace(self.calls, self.seconds, self.rate)

    @property
    def unfinished(self) -> int:
        """Flows of the checkpoint that have no final outcome yet."""
        return sum(self.counts.get(state, 0) for state in UNFINISHED)

    @property
    def left(self) -> int:
        """Unfinished flows that this run would have taken, as far as is known."""
        return self.unfinished - (self.unlisted or 0)

    @property
    def failed(self) -> int:
        """Flows and lines that ended, but neither deleted nor absent."""
        return sum(self.counts.get(state, 0) for state in FAILED)

    def raise_for_outcomes(self) -> None:
        """Return if all flows of this run are deleted, absent or kept; outcomes of earlier runs do not count.

        Raises:
            OutcomesError: flows of this run were refused, invalid or given up, are left, or may be, as the run ended
                before its input. Its `summary` is this one.
        """
        parts = [
            f"{self.this_run[state]:,} {word}" for state, word in _FAILED_WORDS if self.this_run.get(state)
        ]
        if self.left or not self.read_all or self.error:
            most = "up to " if self.unlisted is None else ""
            left = f"{most}{self.left:,} left" if self.left else "none is known to be left"
            parts.append(f"{left}: {self.error or self.ending.meaning}")
        if parts:
            error = OutcomesError(f"flows of this run: {', '.join(parts)}")
            error.summary = self
            raise error from self.error
