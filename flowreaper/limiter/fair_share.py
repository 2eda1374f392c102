"""How the runs of one machine share an account's pace: who may take the next turn, and what they must know for it.

No clock, no file, no log. Times are in seconds of the machine's monotonic clock, which all processes share.

A call may leave while its permit is fresh: for `SHELF_LIFE_S` after its run last looked at what all runs share. That
bounds how long a run can act on what is no longer so. What nobody has looked at for `settle_s` binds nobody: each call
that it allowed has left, and a whole second has passed since.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowreaper.limiter.pace import BATCHES_PER_S, MOST_WIDENING_S, batches_in

SHELF_LIFE_S = 0.9
"""Calls that leave later than this after their run's last look do not leave: it must look again."""

_FORGET_S = 60.0
_GIVE_WAY_S = 0.003  # more than timers are late
_GONE_AFTER_S = (
    2.0  # longer than the shelf life and a second: until then its calls count in everybody's second
)
_GONE_AFTER_GAPS = 3


class Peer(NamedTuple):
    """A run that shares an account's pace with others: when it last looked and took a turn, and its own pace.

    `sent_at` is negative where it has not taken one yet.
    """

    seen_at: float
    sent_at: float
    interval_s: float
    widening_s: float


def is_alive(run: Peer, now: float) -> bool:
    """Return whether a run is still at work, as far as can be told: one that waits looks every second or so."""
    gone_after_s = max(_GONE_AFTER_S, _GONE_AFTER_GAPS * run.interval_s * (1 + run.widening_s))
    return 0 <= now - run.seen_at < gone_after_s


def turn_wait_s(mine: Peer, others: Sequence[Peer], left: Sequence[float], leaving: int) -> float:
    """Return how long a run must wait for the turn that it wants now, at `seen_at`; 0 or less: not at all.

    `others` are the runs near it; `left` is when the account's latest turns left, in order, up to
    `BATCHES_PER_S` of them; so many more have begun and not `leaving` yet: infinite while they may fill any
    second. Together the runs keep the pace of the fastest, stretched as the most stretched. Who sent last gives
    way to who waits, so a slower run is never starved by a faster one.
    """
    interval_s = min(run.interval_s for run in (mine, *others))
    widening_s = max(run.widening_s for run in (mine, *others))
    batches = batches_in(interval_s)
    free_at = _free_at(batches, left, leaving, batches * interval_s * (1 + widening_s))
    begun_at = max(run.sent_at for run in (mine, *others))
    if others and begun_at >= 0:
        gap_s = interval_s * (1 + widening_s)
        waiting = sum(run.sent_at < min(mine.sent_at, run.seen_at) for run in others)
        free_at = max(free_at, begun_at + gap_s + min(waiting * _GIVE_WAY_S, gap_s / 2))
    return free_at - mine.seen_at


def _free_at(capacity: int, left: Sequence[float], leaving: int, window_s: float) -> float:
    """Return from when on a window that holds so many turns has a place, beside those `leaving`."""
    free = capacity - leaving
    if free <= 0:
        return float("inf")
    return left[-free] + window_s if len(left) >= free else float("-inf")


class Census(NamedTuple):
    """A run's place among the runs of its account that are alive, from 0, and their number."""

    place: int
    number: int


def settle_s(interval_s: float) -> float:
    """Return after how many seconds what a run of this pace did not know can have no effect on it any more."""
    return SHELF_LIFE_S + max(1.0, batches_in(interval_s) * interval_s)


class Part:
    """The turns that a run may take by itself in one second, while some run cannot use what they share.

    They are divided by the runs that are alive: of five turns, three runs have 2, 2 and 1; of seven runs, two have
    none. A run that joins makes no part larger, and waits until all others must have seen it. When one ends, parts
    grow after as long. So parts never make more than the whole together, though runs look at different times.
    """

    def __init__(self) -> None:
        self._census: Census | None = None
        self._turns = 0
        self._from = 0.0
        self._looked_at = float("-inf")

    def seen(self, now: float, census: Census | None, interval_s: float) -> int:
        """Return the part at this time; `census` is None where it cannot be known, and the part is 0."""
        new = 0
        if census:
            new = max(0, -(-(batches_in(interval_s) - census.place) // census.number))
        if now - self._looked_at >= SHELF_LIFE_S:
            # Others may have come and gone meanwhile.
            self._turns = 0
            self._from = now + settle_s(interval_s)
        elif census != self._census:
            self._turns = min(self._turns, new)
            self._from = now + settle_s(interval_s)
        if now >= self._from:
            self._turns = new
        self._census = census
        self._looked_at = now
        return self._turns


class Permits:
    """The turns that one run has taken: which of them may leave, and when the latest left."""

    def __init__(self) -> None:
        self.leaving: list[float] = []
        self.left: list[float] = []
        self._renewed_at = self._void_before = float("-inf")

    def is_fresh(self, turn_at: float, now: float) -> bool:
        """Return whether the calls of the turn of this time may leave now."""
        return turn_at >= self._void_before and now - self._renewed_at < SHELF_LIFE_S

    def look(self, now: float) -> None:
        """Void for good what became stale before this look: the others may have had its capacity meanwhile."""
        if now - self._renewed_at >= SHELF_LIFE_S:
            self.leaving.clear()
            self._void_before = now

    def renew(self, now: float) -> None:
        """Let all that are not void leave for another while, after a look at this time."""
        self._renewed_at = now

    def leave(self, turn_at: float, at: float) -> bool:
        """Take note that the turn of this time left at another; return whether it was known."""
        if turn_at not in self.leaving:
            return False
        self.leaving.remove(turn_at)
        self.left = sorted((*self.left, at))[-BATCHES_PER_S:]
        return True


def part_wait_s(mine: Peer, part: int, permits: Permits) -> float:
    """Return how long a run must wait that may take only `part` turns in a second, whatever the others do."""
    window_s = batches_in(mine.interval_s) * mine.interval_s * (1 + mine.widening_s)
    return _free_at(part, permits.left, len(permits.leaving), window_s) - mine.seen_at


@dataclass
class Account:
    """What the runs of one machine know of one account.

    When its latest turns left, in order; how many were taken; its runs by name; when each of those took the turns
    that have not left yet; and until when nobody may take one, because the file is new and does not know the last.
    """

    left: list[float] = field(default_factory=list)
    turns: int = 0
    runs: dict[str, Peer] = field(default_factory=dict)
    leaving: dict[str, list[float]] = field(default_factory=dict)
    closed_until: float = 0.0


def json_of(accounts: Mapping[str, Account]) -> bytes:
    """Return the accounts as JSON, for `read`."""
    return json.dumps(
        {
            name: {
                "left": account.left,
                "turns": account.turns,
                "runs": account.runs,
                "leaving": {run: times for run, times in account.leaving.items() if times},
                "closed_until": account.closed_until,
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
            closed_until = _soon(parts.get("closed_until"), now)
            accounts[name] = Account(_times(parts.get("left"), now), turns, runs, leaving, closed_until)
    return accounts


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _sharer(value: object, now: float) -> Peer | None:
    numbers = _floats(value)
    if len(numbers) != len(Peer._fields):
        return None
    run = Peer(*numbers)
    sound = run.interval_s >= 1 / BATCHES_PER_S and 0 <= run.widening_s <= MOST_WIDENING_S
    return run if sound and run.sent_at <= run.seen_at <= now < run.seen_at + _FORGET_S else None


def _times(value: object, now: float) -> list[float]:
    return sorted(at for at in _floats(value) if 0 <= at <= now)[-BATCHES_PER_S:]


def _floats(value: object) -> list[float]:
    return [n for n in value if isinstance(n, float) and math.isfinite(n)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def _soon(value: object, now: float) -> float:
    return value if isinstance(value, float) and 0 <= value <= now + _FORGET_S else 0.0
