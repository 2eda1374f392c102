"""A service with a quota and its clients, in simulated time: how a pace fares behind each way of counting. Pure.

The test suite asserts on it, the benchmark prints it. Times are seconds; the same seed gives the same run.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from flowreaper.limiter.sliding_window import BLOCKED, Blocked
from flowreaper.sandbox.quota import make_quota

_QUOTA = 5
_START_S = 100.0
_OWN_JITTER_S = 0.0002
_HICCUP_S = 0.004
_HICCUP_CHANCE = 0.005
_WAKES_LATE_S = 0.001


class Pace(Protocol):
    """When a client's next call may be sent, and what it learns from the calls before."""

    @property
    def earliest(self) -> float | Blocked:
        """The time from which the next call may be sent."""
        ...

    def begin(self, at: float) -> int:
        """Begin a call; `sent` follows."""
        ...

    def sent(self, at: float) -> None:
        """Record when the call was sent."""
        ...

    def throttled(self, sent_at: float, at: float) -> None:
        """React, at `at`, to a throttled call that was sent at `sent_at`."""
        ...


@dataclass(frozen=True, slots=True)
class Setting:
    """A service that counts `window` seconds (see ``quota.WINDOWS``), 5 calls each, and what surrounds it.

    Calls arrive up to `jitter_s` late, evenly spread. Another client sends `other_clients_rate` calls a second until
    `other_client_until_s`. A run ends after `flows` admitted calls or `seconds`. Timers wake up to 1 ms late and the
    network adds some 0.2 ms, as on a real machine; a call is sent `sent_late_s` after it began.
    """

    window: str
    jitter_s: float = 0.0
    flows: int | None = None
    seconds: float = 7200.0
    other_clients_rate: float = 0.0
    other_client_until_s: float = float("inf")
    latency_s: float = 0.02
    sent_late_s: float = 0.0


@dataclass(slots=True)
class Trace:
    """What all clients of a simulation did together: the times at which admitted and throttled calls were sent."""

    admitted: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Admitted calls a second, from the first call sent to the last."""
        sent = self.admitted + self.throttled
        return (len(self.admitted) - 1) / (max(sent) - min(sent))

    @property
    def throttled_share(self) -> float:
        """Throttled calls as a part of all."""
        return len(self.throttled) / (len(self.throttled) + len(self.admitted))


def simulate(paces: Sequence[Pace], setting: Setting, seed: int) -> Trace:
    """Run a client for each pace against one account's quota."""
    return _Simulation(paces, setting, random.Random(seed)).run()  # noqa: S311 -- to be repeated, not to be secret


def recovery_s(trace: Trace, since_s: float, per_s: float = 4.8, over_s: float = 10.0) -> float:
    """Return how long after `since_s` the next `over_s` seconds hold `per_s` calls each; infinite if never."""
    start = min(trace.admitted)
    times = [at - start for at in trace.admitted]
    last = max(times)
    step = 1.0
    at = since_s
    while at + over_s <= last:
        # A window of 10 s at an even 4.8/s holds 47 or 48 calls.
        if sum(at <= t < at + over_s for t in times) >= int(per_s * over_s) - 1:
            return at - since_s
        at += step
    return float("inf")


def _earliest(pace: Pace) -> float:
    earliest = pace.earliest
    assert earliest is not BLOCKED, "a client sends each call before it begins the next one"
    return earliest


class _Simulation:
    def __init__(self, paces: Sequence[Pace], setting: Setting, luck: random.Random) -> None:
        self._paces = paces
        self._setting = setting
        self._luck = luck
        self._quota = make_quota(setting.window, _QUOTA)
        self._order = count()
        self._events: list[tuple[float, int, Iterator[float]]] = []
        self._trace = Trace()
        # The service's seconds begin anywhere in the client's.
        self._start = _START_S + luck.random()

    def run(self) -> Trace:
        setting = self._setting
        for place, pace in enumerate(self._paces):
            self._begin(self._start + place * self._luck.random(), self._client(pace))
        if setting.other_clients_rate:
            self._begin(self._start + self._luck.random() / setting.other_clients_rate, self._other_client())
        while self._events:
            at, _, steps = heapq.heappop(self._events)
            if at - self._start > setting.seconds or len(self._trace.admitted) == setting.flows:
                break
            self._now = at
            again = next(steps, None)
            if again is not None:
                self._begin(again, steps)
        return self._trace

    def _begin(self, at: float, steps: Iterator[float]) -> None:
        heapq.heappush(self._events, (at, next(self._order), steps))

    def _client(self, pace: Pace) -> Iterator[float]:
        while True:
            while (earliest := _earliest(pace)) > self._now:
                yield earliest + self._luck.uniform(0, _WAKES_LATE_S)
            pace.begin(self._now)
            if self._setting.sent_late_s:
                yield self._now + self._setting.sent_late_s
            pace.sent(self._now)
            self._begin(self._arrival(), self._call(pace, self._now))
            yield self._now

    def _call(self, pace: Pace, sent_at: float) -> Iterator[float]:
        admitted = self._quota.admits(self._now)
        yield self._now + self._setting.latency_s / 2
        if admitted:
            self._trace.admitted.append(sent_at)
        else:
            self._trace.throttled.append(sent_at)
            pace.throttled(sent_at, self._now)

    def _other_client(self) -> Iterator[float]:
        while self._now - self._start < self._setting.other_client_until_s:
            self._begin(self._now + self._luck.uniform(0, self._setting.jitter_s), self._other_clients_call())
            yield self._now + 1 / self._setting.other_clients_rate

    def _other_clients_call(self) -> Iterator[float]:
        self._quota.admits(self._now)
        return
        yield

    def _arrival(self) -> float:
        luck, setting = self._luck, self._setting
        hiccup_s = _HICCUP_S * luck.random() if luck.random() < _HICCUP_CHANCE else 0.0
        own_s = _OWN_JITTER_S + luck.expovariate(1 / _OWN_JITTER_S) + hiccup_s
        return self._now + setting.latency_s / 2 + luck.uniform(0, setting.jitter_s) + own_s
