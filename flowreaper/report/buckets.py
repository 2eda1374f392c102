"""A job's minutes added up to some dozens of rows, for the table beside the plot. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flowreaper.store.history import Minute

_MOST_ROWS = 48
_STEPS_S = tuple(
    60 * minutes for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 10080, 40320)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What the job did from `start_s` on, in seconds since the epoch.

    `permitted_per_s` is the lowest and the highest pace that was permitted at the end of one of its minutes.
    """

    start_s: int
    calls: int
    deleted: int
    absent: int
    refused: int
    throttled: int
    permitted_per_s: tuple[float, float]
    silent_s: float


def bucket_step(minutes: Iterable[Minute]) -> int:
    """Return the shortest step, in seconds, that adds the minutes up to a table of few rows."""
    times = {minute.at_s for minute in minutes}
    for step in _STEPS_S:
        if len({at // step for at in times}) <= _MOST_ROWS:
            return step
    step = _STEPS_S[-1]
    while len({at // step for at in times}) > _MOST_ROWS:
        step *= 2
    return step


def buckets(minutes: Iterable[Minute], step_s: int) -> list[Bucket]:
    """Return the buckets of this step in which there is a minute, in their order."""
    found: dict[int, list[Minute]] = {}
    for minute in minutes:
        found.setdefault(minute.at_s // step_s * step_s, []).append(minute)
    return [_bucket(start, found[start]) for start in sorted(found)]


def _bucket(start_s: int, minutes: Sequence[Minute]) -> Bucket:
    permitted = [minute.permitted_per_s for minute in minutes]
    return Bucket(
        start_s=start_s,
        calls=sum(minute.calls for minute in minutes),
        deleted=sum(minute.deleted for minute in minutes),
        absent=sum(minute.absent for minute in minutes),
        refused=sum(minute.refused for minute in minutes),
        throttled=sum(minute.throttled for minute in minutes),
        permitted_per_s=(min(permitted), max(permitted)),
        silent_s=sum(minute.silent_s for minute in minutes),
    )
