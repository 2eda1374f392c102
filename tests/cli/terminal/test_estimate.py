"""Pace and time left of runs whose time is made up: what they follow, and what does not make them jump."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.estimate import Estimator
from flowreaper.job.summary import Snapshot
from flowreaper.model import State
from tests.cli.terminal.emulator import snapshot

LOOK_S = 0.25
FLOWS = 100_000


class Course:
    """A run in made-up time, which an estimator watches 4 times a second.

    `outcomes_per_call` is less than 1 where the service throttles calls.
    """

    def __init__(self) -> None:
        self.estimator = Estimator()
        self.now = snapshot(left=FLOWS, done={State.DELETED: 0})
        self.estimator.add(self.now)
        self._calls = self._done = 0.0
        self.left: list[float | None] = []

    def work(self, seconds: float, calls_per_s: float = 5.0, outcomes_per_call: float = 1.0) -> None:
        for _ in range(round(seconds / LOOK_S)):
            self._calls += calls_per_s * LOOK_S
            self._done += calls_per_s * outcomes_per_call * LOOK_S
            self.pass_time(LOOK_S)

    def pass_time(self, seconds: float, silent_s: float | None = None) -> None:
        self.now = replace(
            self.now,
            elapsed_s=self.now.elapsed_s + seconds,
            calls=int(self._calls),
            done={State.DELETED: int(self._done)},
            left=FLOWS - int(self._done),
            silent_s=silent_s,
        )
        self.estimator.add(self.now)
        self.left.append(self.estimator.left_s)

    @property
    def left_s(self) -> float:
        left_s = self.estimator.left_s
        assert left_s is not None
        return left_s


@pytest.fixture
def course() -> Course:
    return Course()


def test_before_the_first_look_nothing_is_known() -> None:
    assert Estimator().calls_per_s == 0
    assert Estimator().left_s is None


def test_at_the_start_the_time_left_is_that_of_the_permitted_pace(course: Course) -> None:
    assert course.left_s == FLOWS / 5


def test_while_the_input_is_read_the_time_left_is_unknown(course: Course) -> None:
    course.work(60)
    course.estimator.add(replace(course.now, reading=True))
    assert course.estimator.left_s is None


def test_a_run_that_is_asked_to_stop_takes_no_longer_than_until_then(course: Course) -> None:
    course.work(60)
    course.estimator.add(replace(course.now, stops_in_s=3.0))
    assert course.estimator.left_s == 3.0
    course.estimator.add(replace(course.now, stops_in_s=1e6))
    assert course.left_s == pytest.approx(FLOWS / 5 - 60, rel=0.01)


def test_where_nothing_gets_done_it_still_ends_when_it_is_asked_to(course: Course) -> None:
    course.work(600, outcomes_per_call=0.0)
    course.estimator.add(replace(course.now, stops_in_s=3600.0))
    assert course.estimator.left_s == 3600.0


def test_what_is_still_read_ends_no_run_earlier_than_it_is_asked_to(course: Course) -> None:
    course.work(60)
    course.estimator.add(replace(course.now, reading=True, stops_in_s=3600.0))
    assert course.estimator.left_s == 3600.0
    course.estimator.add(replace(course.now, reading=True, stops_in_s=1e6))
    assert course.estimator.left_s is None


def test_the_time_left_counts_down_with_the_clock(course: Course) -> None:
    course.work(600)
    assert course.left_s == pytest.approx(FLOWS / 5 - 600, rel=0.001)


def test_the_time_left_follows_the_permitted_pace_within_a_minute(course: Course) -> None:
    course.work(300)
    course.now = replace(course.now, permitted_per_s=2.5)
    course.work(70, calls_per_s=2.5)
    assert course.left_s == pytest.approx(course.now.left / 2.5, rel=0.01)


def test_calls_that_bring_no_outcome_make_the_time_left_longer(course: Course) -> None:
    course.work(300, outcomes_per_call=0.8)
    assert course.left_s == pytest.approx(course.now.left / 4, rel=0.01)


def test_a_run_that_is_slower_than_permitted_takes_as_long_as_it_takes(course: Course) -> None:
    course.work(300, calls_per_s=1.0)
    assert course.left_s == pytest.approx(course.now.left, rel=0.01)


def test_where_nothing_gets_done_nobody_knows_when_it_ends(course: Course) -> None:
    course.work(600, outcomes_per_call=0.0)
    assert course.estimator.left_s is None


def stopped(course: Course) -> None:
    """Ctrl-Z, and fg an hour later: the clock of the process goes on."""
    course.pass_time(3600)


def silent(course: Course) -> None:
    """Nothing answers for an hour, which the breaker knows after 30 seconds."""
    course.work(30, outcomes_per_call=0.0)
    for second in range(30, 3600):
        course.pass_time(1, silent_s=float(second))
    course.pass_time(1)


def stalled(course: Course) -> None:
    """The machine is busy for a few seconds."""
    course.pass_time(4)


@pytest.mark.parametrize("trouble", [stopped, silent, stalled])
def test_the_time_left_does_not_jump_after(trouble: Callable[[Course], None], course: Course) -> None:
    course.work(300)
    before = course.left_s
    trouble(course)
    course.left.clear()
    course.work(30)
    assert None not in course.left
    assert all(left_s == pytest.approx(before, rel=0.03) for left_s in course.left)


def test_a_time_without_flows_to_call_says_nothing_of_the_pace(course: Course) -> None:
    for second in range(600):
        course.estimator.add(snapshot(reading=True, elapsed_s=float(second)))
    course.estimator.add(snapshot(left=FLOWS, elapsed_s=600.0))
    assert course.left_s == FLOWS / 5


def test_the_pace_is_that_of_the_last_ten_seconds(course: Course) -> None:
    course.work(60)
    assert course.estimator.calls_per_s == pytest.approx(5, abs=0.1)
    course.work(11, calls_per_s=1.0)
    assert course.estimator.calls_per_s == pytest.approx(1, abs=0.1)


def test_a_time_in_which_the_process_was_stopped_does_not_slow_the_pace(course: Course) -> None:
    course.work(60)
    stopped(course)
    course.work(3)
    assert course.estimator.calls_per_s == pytest.approx(5, abs=0.5)


Steps = st.lists(st.tuples(st.floats(0, 20), st.integers(0, 100), st.booleans()), min_size=1, max_size=40)


@given(Steps)
def test_whatever_a_run_does_its_pace_is_never_above_what_was_asked_for_nor_its_time_left_negative(
    steps: list[tuple[float, int, bool]],
) -> None:
    estimator, run = Estimator(), snapshot(left=FLOWS)
    for step_s, more, is_silent in steps:
        run = looked(run, step_s, more, is_silent=is_silent)
        estimator.add(run)
        assert 0 <= estimator.calls_per_s <= run.rate
        assert estimator.left_s is None or estimator.left_s >= 0


def looked(run: Snapshot, step_s: float, more: int, *, is_silent: bool) -> Snapshot:
    return replace(
        run,
        elapsed_s=run.elapsed_s + step_s,
        calls=run.calls + more,
        done={State.DELETED: run.called + more},
        left=run.left - more,
        silent_s=step_s if is_silent else None,
    )


@given(Steps)
def test_outcomes_that_are_taken_back_break_nothing(steps: list[tuple[float, int, bool]]) -> None:
    estimator, run = Estimator(), snapshot(left=FLOWS)
    for step_s, fewer, is_silent in steps:
        run = looked(run, step_s, -fewer, is_silent=is_silent)
        run = replace(run, calls=0)
        estimator.add(run)
        assert estimator.left_s is None or estimator.left_s >= 0
