"""Real signals of this process, on a virtual loop: which of them are one event, and what a second one does."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from flowreaper.cli.signals import Signals
from tests.virtual import run_virtual

INT, TERM, HUP, USR1 = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1


class Run:
    in_flight = 1

    def __init__(self) -> None:
        self.done: list[str] = []

    def stop(self) -> None:
        self.done.append("stop")

    def abandon(self) -> None:
        self.done.append("abandon")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Put back whoever listened before."""
    before = {number: signal.getsignal(number) for number in (INT, TERM, HUP, USR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets; no thread may wait to leave."""
    now = [100.0]
    monkeypatch.setattr("flowreaper.cli.signals.time.monotonic", lambda: now[0])
    monkeypatch.setattr("flowreaper.cli.signals.threading.Timer.start", lambda _timer: None)
    return now


def after(clock: list[float], *events: tuple[float, signal.Signals]) -> tuple[list[str], list[str], int]:
    """Return what a job was told to do, what a person was told, and the exit status."""
    job, told = Run(), list[str]()
    found = Signals(told.append)

    async def scenario() -> None:
        found.listen(asyncio.get_running_loop(), job)
        for wait_s, number in events:
            clock[0] += wait_s
            signal.raise_signal(number)
            await asyncio.sleep(0)

    run_virtual(scenario())
    return job.done, told, found.status


@pytest.mark.parametrize(("number", "status"), [(INT, 130), (TERM, 143), (HUP, 143)])
def test_the_first_signal_stops_and_says_so(clock: list[float], number: signal.Signals, status: int) -> None:
    said = ["Stopping after the call in progress. Press Ctrl-C again to quit now."]
    assert after(clock, (0, number)) == (["stop"], said, status)


@pytest.mark.parametrize(
    "events",
    [
        [(0, INT), (0.2, INT)],
        [(0, TERM), (0.2, TERM)],
        [(0, HUP), (0.2, INT)],
        [(0, INT), (0.2, HUP)],
        [(0, TERM), (1.1, HUP)],
        [(0, HUP), (1.1, TERM)],
        [(0, TERM), (0.01, HUP), (1.1, TERM)],
    ],
)
def test_a_second_signal_leaves_at_once(
    clock: list[float], events: list[tuple[float, signal.Signals]]
) -> None:
    done, told, status = after(clock, *events)
    assert done == ["stop", "abandon"]
    assert told[1].startswith("Quitting now.")
    assert status == (130 if events[0][1] is INT else 143)


@pytest.mark.parametrize(
    "events",
    [
        [(0, TERM), (0.9, HUP)],
        [(0, HUP), (0.9, TERM)],
        [(0, HUP), (0.9, HUP)],
        [(0, HUP), (0, HUP), (0, TERM)],
    ],
)
def test_signals_of_one_event_count_once(
    clock: list[float], events: list[tuple[float, signal.Signals]]
) -> None:
    assert after(clock, *events)[0] == ["stop"]


def test_what_was_ignored_before_stays_ignored(clock: list[float]) -> None:
    signal.signal(HUP, signal.SIG_IGN)
    assert after(clock, (0, HUP)) == ([], [], 0)


def test_a_signal_after_the_run_has_ended_does_nothing(clock: list[float]) -> None:
    after(clock)
    signal.raise_signal(TERM)


def test_sigusr1_is_answered_each_time_and_ends_nothing(clock: list[float]) -> None:
    asked = list[str]()

    async def scenario() -> None:
        found = Signals(asked.append)
        found.answer(asyncio.get_running_loop(), lambda: asked.append("told"))
        for _ in range(2):
            signal.raise_signal(USR1)
            await asyncio.sleep(0)

    run_virtual(scenario())
    assert asked == ["told", "told"]
    signal.raise_signal(USR1)  # the run is over
    assert asked == ["told", "told"]
