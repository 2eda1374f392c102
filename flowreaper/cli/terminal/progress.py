"""How far a run is, as numbers and words for a person: counts, pace, time left, and why it is slow. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from flowreaper.durations import duration
from flowreaper.job.summary import Snapshot
from flowreaper.model import State

_CLEARLY_BELOW = 0.96
# The limiter itself holds 4.98 of 5 calls a second.
_NAMED_DAYS_S = 6 * 86400
_MINUTE_S = 60
_HOUR_S = 3600
_WHOLE_HOURS_FROM_S = 1000 * _HOUR_S


@dataclass(frozen=True, slots=True)
class View:
    """How far a run is, at the local time `now`.

    `calls_per_s` is the pace of the last seconds, `left_s` how long the run still takes, None where nobody can know.
    """

    run: Snapshot
    calls_per_s: float
    left_s: float | None
    now: datetime

    @property
    def done(self) -> int:
        """The flows that have their outcome: those of the whole job, of a run with a limit its own.

        Invalid lines are no flows.
        """
        if self.run.limit is not None:
            return self.run.called
        return self.run.called + self._before

    @property
    def total(self) -> int:
        """The flows that have their outcome or will have it at the end, as far as is known."""
        return self.done + self.run.to_do

    @property
    def percent(self) -> int | None:
        """How much of the total is done, rounded down; 100 only at the end, None while the total is not known."""
        if self.run.reading or not self.total:
            return None
        return 100 * self.done // self.total

    @property
    def this_run(self) -> int | None:
        """The flows that this run has done, None where `done` says so already."""
        return self.run.called if self._before and self.run.limit is None else None

    @property
    def ends_at(self) -> datetime | None:
        """The local time of the end, None where nobody can know."""
        if self.stops_early:
            return self.stops_at
        return None if self.left_s is None else ends_at(self.left_s, self.now)

    @property
    def stops_at(self) -> datetime | None:
        """The local time, to the second, at which the run stops at the latest, None: never."""
        if self.run.stops_in_s is None:
            return None
        # Without this, a run that stops at 06:00 would now and then seem to stop at 05:59.
        return ends_at(self.run.stops_in_s + 0.5, self.now).replace(microsecond=0)

    @property
    def stops_early(self) -> bool:
        """Whether the run ends because it was asked to stop at a time, and not with its last flow."""
        stops_in_s = self.run.stops_in_s
        return self.left_s is not None and stops_in_s is not None and self.left_s >= stops_in_s

    def end(self, *, short: bool = False) -> str:
        """Write when the run ends, and what ends it; empty where nobody can know. `short` as in `clock_time`."""
        if self.ends_at is None:
            return ""
        clock = clock_time(self.ends_at, self.now, short=short)
        return f"stops at {clock}" if self.stops_early else f"until {clock}"

    @property
    def troubles(self) -> tuple[tuple[int, str], ...]:
        """What is not as it should be, each with its count, the worst first; nothing that is 0."""
        done = self.run.done
        found = (
            (done.get(State.REFUSED, 0), "refused"),
            (done.get(State.GAVE_UP, 0), "gave up"),
            (self.run.in_doubt, "in doubt"),
            (self.run.throttled, "throttled"),
            (done.get(State.INVALID, 0), "invalid"),
            (done.get(State.ABSENT, 0), "absent"),
        )
        return tuple((count, word) for count, word in found if count)

    @property
    def _before(self) -> int:
        return sum(count for state, count in self.run.before.items() if state is not State.INVALID)


def why_slow(run: Snapshot) -> str:
    """Say why a run is slower than it was asked to be, as one phrase; empty where it is not."""
    if run.silent_s is not None:
        return f"no answer for {_coarse(run.silent_s, whole_minutes_from_s=_MINUTE_S)}"
    if run.reading and not run.to_do:
        return "reading input"
    others = _per_s(run.other_clients_per_s or 0.0)
    if others != "0/s":
        return f"another client takes about {others}"
    if run.permitted_per_s < run.rate * _CLEARLY_BELOW:
        return f"service admits {_per_s(run.permitted_per_s)}"
    return ""


def time_left(seconds: float, *, short: bool = False) -> str:
    """Write how long a run still takes, the longer the more coarsely; `short` in whole hours from the first on."""
    if seconds >= (_HOUR_S if short else _WHOLE_HOURS_FROM_S):
        return f"{seconds / _HOUR_S:,.0f} h left"
    return f"{_coarse(seconds, whole_minutes_from_s=10 * _MINUTE_S)} left"


def clock_time(moment: datetime, now: datetime, *, short: bool = False) -> str:
    """Write a moment to come as a clock shows it, with the day where that is not today's.

    `short` names a day of the next six by its weekday alone.
    """
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    if short and moment - now < timedelta(seconds=_NAMED_DAYS_S):
        return f"{moment:%a %H:%M}"
    return f"{moment:%a %Y-%m-%d %H:%M}"


def ends_at(seconds: float, now: datetime) -> datetime:
    """Return the moment `seconds` from `now`; the last one that can be written, if that is later."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)


def _coarse(seconds: float, *, whole_minutes_from_s: int) -> str:
    if seconds < whole_minutes_from_s:
        return duration(seconds)
    minutes = round(seconds / _MINUTE_S)
    return f"{minutes} min" if minutes < _HOUR_S / _MINUTE_S else duration(minutes * _MINUTE_S)


def _per_s(rate: float) -> str:
    return f"{round(rate, 1):g}/s"
