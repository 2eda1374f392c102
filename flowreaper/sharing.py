"""How the runs of one machine share an account's pace: who may take the next turn, and what they must know for it.

No clock, no file, no log. Times are in seconds of the machine's monotonic clock, which all processes share.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowreaper.pacing import MOST_STRETCH_S, SLICES_PER_S, slices_of

_FORGET_S = 60.0
_GIVE_WAY_S = 0.003  # more than timers are late
_GONE_AFTER_S = 2.0
_GONE_AFTER_GAPS = 3


class Sharer(NamedTuple):
    """A run that shares an account's pace with others: when it last looked and took a turn, and its own pace.

    `sent_at` is negative where it has not taken one yet.
    """

    seen_at: float
    sent_at: float
    even_gap_s: float
    stretch_s: float


def is_near(run: Sharer, now: float) -> bool:
    """Return whether a run is still at work, as far as can be told: one that waits looks every second or so."""
    gone_after_s = max(_GONE_AFTER_S, _GONE_AFTER_GAPS * run.even_gap_s * (1 + run.stretch_s))
    return 0 <= now - run.seen_at < gone_after_s


def turn_wait_s(mine: Sharer, others: Sequence[Sharer], left: Sequence[float], leaving: int) -> float:
    """Return how long a run must wait for the turn that it wants now, at `seen_at`; 0 or less: not at all.

    `others` are the runs near it; `left` is when the account's latest turns left, in order, up to
    `SLICES_PER_S` of them; so many more have begun and not `leaving` yet: infinite while they may fill any
    second. Together the runs keep the pace of the fastest, stretched as the most stretched. Who sent last gives
    way to who waits, so a slower run is never starved by a faster one.
    """
    even_gap_s = min(run.even_gap_s for run in (mine, *others))
    stretch_s = max(run.stretch_s for run in (mine, *others))
    slices = slices_of(even_gap_s)
    places = slices - leaving
    if places <= 0:
        return float("inf")
    free_at = float("-inf")
    if len(left) >= places:
        free_at = left[-places] + slices * even_gap_s * (1 + stretch_s)
    begun_at = max(run.sent_at for run in (mine, *others))
    if others and begun_at >= 0:
        gap_s = even_gap_s * (1 + stretch_s)
        waiting = sum(run.sent_at < min(mine.sent_at, run.seen_at) for run in others)
        free_at = max(free_at, begun_at + gap_s + min(waiting * _GIVE_WAY_S, gap_s / 2))
    return free_at - mine.seen_at


@dataclass
class Account:
    """What the runs of one machine know of one account.

    When its latest turns left, in order; how many were taken; its runs by name; and when each of those took the
    turns that have not left yet.
    """

    left: list[float] = field(default_factory=list)
    turns: int = 0
    runs: dict[str, Sharer] = field(default_factory=dict)
    leaving: dict[str, list[float]] = field(default_factory=dict)


def json_of(accounts: Mapping[str, Account]) -> bytes:
    """Return the accounts as JSON, for `read`."""
    return json.dumps(
        {
            name: {
                "left": account.left,
                "turns": account.turns,
                "runs": account.runs,
                "leaving": {run: times for run, times in account.leaving.items() if times},
            }
            for name, account in accounts.items()
        }
    ).encode()


def read(text: bytes, now: float) -> dict[str, Account]:
    """Return what `json_of` made, less what is of another time than the last minute, or makes no sense."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    accounts = {}
    for name, value in _items(found):
        parts = dict(_items(value))
        runs = {
            run: sharer for run, numbers in _items(parts.get("runs")) if (sharer := _sharer(numbers, now))
        }
        leaving = {run: _times(times, now) for run, times in _items(parts.get("leaving")) if run in runs}
        if runs:
            turns = _count(parts.get("turns"))
            accounts[name] = Account(_times(parts.get("left"), now), turns, runs, leaving)
    return accounts


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _sharer(value: object, now: float) -> Sharer | None:
    numbers = _floats(value)
    if len(numbers) != len(Sharer._fields):
        return None
    run = Sharer(*numbers)
    sound = run.even_gap_s >= 1 / SLICES_PER_S and 0 <= run.stretch_s <= MOST_STRETCH_S
    return run if sound and run.sent_at <= run.seen_at <= now < run.seen_at + _FORGET_S else None


def _times(value: object, now: float) -> list[float]:
    return sorted(at for at in _floats(value) if 0 <= at <= now)[-SLICES_PER_S:]


def _floats(value: object) -> list[float]:
    return [n for n in value if isinstance(n, float) and math.isfinite(n)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0
