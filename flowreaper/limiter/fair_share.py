"""How the runs of one account share its rate: who may reserve the next slot, and what they must know for it.

No clock, no file, no log. Times are in seconds of a clock that all runs share. A *slot* is the right to send one batch
of calls.

A call may be sent while its slot is fresh: for `SHELF_LIFE_S` after its run last looked at the shared state. That
bounds how long a run can act on outdated knowledge. What no run has looked at for `settle_s` binds nobody: all calls
that it allowed have been sent, and a whole second has passed since.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from flowreaper.limiter.adaptive import MOST_WIDENING_S
from flowreaper.limiter.sliding_window import BATCHES_PER_S, BLOCKED, Blocked, batches_in

# These five agree with each other (tests/limiter/test_fair_share.py checks it): a run that is at work looks often
# enough to keep its slots fresh and to count as alive, and a run that has ended counts until its last call is over.

SHELF_LIFE_S = 0.9
"""A call is sent at most this long after its run's last look; later, the run must look again."""

HEARTBEAT_S = 0.4
"""A run with unsent calls looks this often: twice within the shelf life, since one look may fail."""

LOOK_ALONE_S = 0.3
"""A run that cannot use the shared state asks this often which others are alive."""

LONGEST_WAIT_S = 1.0
"""A run that waits for a slot looks at least this often, so that the others know that it is alive."""

GONE_AFTER_S = 2.0
"""A run that has not looked for this long has ended; its calls count until then."""

_GONE_AFTER_INTERVALS = 3
_FORGET_S = 60.0
_GIVE_WAY_S = 0.003  # more than timers are late


class Peer(NamedTuple):
    """A run that shares an account's rate: when it last looked and last reserved a slot, and its own pace.

    `reserved_at` is negative until it has reserved a slot.
    """

    seen_at: float
    reserved_at: float
    interval_s: float
    widening_s: float


def is_alive(run: Peer, now: float) -> bool:
    """Return whether a run is still at work, judged by when it last looked."""
    gone_after_s = max(GONE_AFTER_S, _GONE_AFTER_INTERVALS * run.interval_s * (1 + run.widening_s))
    return 0 <= now - run.seen_at < gone_after_s


def slot_wait_s(mine: Peer, others: Sequence[Peer], sent: Sequence[float], unsent: int) -> float | Blocked:
    """Return how long a run must wait, from `mine.seen_at` on, for a slot; 0 or less: not at all.

    `others` are the runs that are alive. `sent` holds when the calls of the account's latest slots were sent, in order,
    up to `BATCHES_PER_S` of them; `unsent` counts the slots whose calls are not sent yet. BLOCKED while those alone
    could fill a window. Together the runs keep the pace of the fastest, with the widest window. The run that
    reserved last lets waiting runs go first, so a faster run never starves a slower one.
    """
    interval_s = min(run.interval_s for run in (mine, *others))
    widening_s = max(run.widening_s for run in (mine, *others))
    batches = batches_in(interval_s)
    free_at = _free_at(batches, sent, unsent, batches * interval_s * (1 + widening_s))
    if free_at is BLOCKED:
        return BLOCKED
    reserved_at = max(run.reserved_at for run in (mine, *others))
    if others and reserved_at >= 0:
        gap_s = interval_s * (1 + widening_s)
        waiting = sum(run.reserved_at < min(mine.reserved_at, run.seen_at) for run in others)
        free_at = max(free_at, reserved_at + gap_s + min(waiting * _GIVE_WAY_S, gap_s / 2))
    return free_at - mine.seen_at


def _free_at(capacity: int, sent: Sequence[float], unsent: int, window_s: float) -> float | Blocked:
    """Return from when on a window of this capacity has a place, beside the slots that are not sent yet."""
    free = capacity - unsent
    if free <= 0:
        return BLOCKED
    return sent[-free] + window_s if len(sent) >= free else float("-inf")


def longer(one: float | Blocked, other: float | Blocked) -> float | Blocked:
    """Return the longer of two waits."""
    if one is BLOCKED or other is BLOCKED:
        return BLOCKED
    return max(one, other)


class Census(NamedTuple):
    """A run's place among the runs of its account that are alive, from 0, and their number."""

    place: int
    number: int


def settle_s(interval_s: float) -> float:
    """Return after how many seconds nothing matters any more that a run of this pace did not know."""
    return SHELF_LIFE_S + max(1.0, batches_in(interval_s) * interval_s)


class FairShare:
    """The slots that a run may use in one second on its own, while some run cannot use the shared state.

    The runs that are alive divide the rate: of five slots, three runs have 2, 2 and 1; of seven runs, two have none.
    When a run joins, no share grows, and the new run waits until all others must have seen it. When a run ends, the
    others' shares grow after as long. So the shares never add up to more than the rate, though the runs look at
    different times.
    """

    def __init__(self) -> None:
        self._census: Census | None = None
        self._slots = 0
        self._from = 0.0
        self._looked_at = float("-inf")

    def update(self, now: float, census: Census | None, interval_s: float) -> int:
        """Return the share at this time. It is 0 where `census` is None: nobody knows which runs are alive."""
        new = 0
        if census:
            new = max(0, -(-(batches_in(interval_s) - census.place) // census.number))
        if now - self._looked_at >= SHELF_LIFE_S:
            # Others may have come and gone meanwhile.
            self._slots = 0
            self._from = now + settle_s(interval_s)
        elif census != self._census:
            self._slots = min(self._slots, new)
            self._from = now + settle_s(interval_s)
        if now >= self._from:
            self._slots = new
        self._census = census
        self._looked_at = now
        return self._slots


class OwnSlots:
    """The slots that one run has reserved: which are unsent, which of those fresh, and when the latest were sent."""

    def __init__(self) -> None:
        self.unsent: list[float] = []
        self.sent: list[float] = []
        self._renewed_at = self._void_before = float("-inf")

    def is_fresh(self, slot_time: float, now: float) -> bool:
        """Return whether the calls of the slot of this time may be sent now."""
        return slot_time >= self._void_before and now - self._renewed_at < SHELF_LIFE_S

    def expire(self, now: float) -> None:
        """Before a look: void for good the slots that are stale, since others may have used their places meanwhile."""
        if now - self._renewed_at >= SHELF_LIFE_S:
            self.unsent.clear()
            self._void_before = now

    def renew(self, now: float) -> None:
        """After a look: keep the slots that are not void fresh for another while."""
        self._renewed_at = now

    def mark_sent(self, slot_time: float, at: float) -> bool:
        """Record when the last call of the slot of this time was sent; return whether the slot was known."""
        if slot_time not in self.unsent:
            return False
        self.unsent.remove(slot_time)
        self.sent = sorted((*self.sent, at))[-BATCHES_PER_S:]
        return True


def share_wait_s(mine: Peer, share: int, own: OwnSlots) -> float | Blocked:
    """Return how long a run must wait that may use only `share` slots in a second, whatever the others do."""
    window_s = batches_in(mine.interval_s) * mine.interval_s * (1 + mine.widening_s)
    free_at = _free_at(share, own.sent, len(own.unsent), window_s)
    return BLOCKED if free_at is BLOCKED else free_at - mine.seen_at


@dataclass
class SharedState:
    """What the runs of one account know together."""

    sent: list[float] = field(default_factory=list)
    """When the calls of the latest slots were sent, in order."""

    slots: int = 0
    """How many slots were reserved."""

    runs: dict[str, Peer] = field(default_factory=dict)
    """The runs by name."""

    unsent: dict[str, list[float]] = field(default_factory=dict)
    """For each run, the times of its slots whose calls are not sent yet."""

    closed_until: float = 0.0
    """Nobody may reserve a slot before this time: the state is new and does not know the latest slots."""


def json_of(states: Mapping[str, SharedState]) -> bytes:
    """Return the states by account as JSON, for `read`. Runs of other versions read it, so its names stay."""
    return json.dumps(
        {
            account: {
                "left": state.sent,
                "turns": state.slots,
                "runs": state.runs,
                "leaving": {run: times for run, times in state.unsent.items() if times},
                "closed_until": state.closed_until,
            }
            for account, state in states.items()
        }
    ).encode()


def read(text: bytes, now: float) -> dict[str, SharedState]:
    """Return what `json_of` made, without what is older than a minute, of the future, or makes no sense."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    states = {}
    for account, value in _items(found):
        values = dict(_items(value))
        runs = {run: peer for run, numbers in _items(values.get("runs")) if (peer := _peer(numbers, now))}
        unsent = {run: _times(times, now) for run, times in _items(values.get("leaving")) if run in runs}
        if runs:
            slots = _count(values.get("turns"))
            closed_until = _soon(values.get("closed_until"), now)
            states[account] = SharedState(_times(values.get("left"), now), slots, runs, unsent, closed_until)
    return states


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _peer(value: object, now: float) -> Peer | None:
    numbers = _floats(value)
    if len(numbers) != len(Peer._fields):
        return None
    run = Peer(*numbers)
    sound = run.interval_s >= 1 / BATCHES_PER_S and 0 <= run.widening_s <= MOST_WIDENING_S
    return run if sound and run.reserved_at <= run.seen_at <= now < run.seen_at + _FORGET_S else None


def _times(value: object, now: float) -> list[float]:
    return sorted(at for at in _floats(value) if 0 <= at <= now)[-BATCHES_PER_S:]


def _floats(value: object) -> list[float]:
    return [n for n in value if isinstance(n, float) and math.isfinite(n)] if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def _soon(value: object, now: float) -> float:
    return value if isinstance(value, float) and 0 <= value <= now + _FORGET_S else 0.0
