"""A call's deadline, with clocks that wake late: as after a SIGSTOP, as in a busy loop."""

import asyncio
from collections.abc import Callable

import pytest

from flowreaper.client.deadline import GRACE_S, LATE_S, Deadline
from flowreaper.client.sent_hook import Sending
from tests.virtual import run_virtual

STOPPED_S = 60.0


def stopped_once() -> Callable[[], float]:
    """The first wake-up is a minute late, the others are in time."""
    late = iter([STOPPED_S])
    return lambda: next(late, 0.0)


def call_that(*, connected: bool) -> Sending:
    call = Sending(lambda: None)
    call.connected = connected
    return call


async def ends_after(
    answer_s: float, *, connected: bool = True, connect_s: float = 1.0, total_s: float = 2.0
) -> float:
    """Return when a call that takes so long has its answer; raises TimeoutError."""
    with Deadline(call_that(connected=connected), connect_s=connect_s, total_s=total_s):
        await asyncio.sleep(answer_s)
        for _ in range(20):  # an answer is read in several steps
            await asyncio.sleep(0)
    return asyncio.get_running_loop().time()


async def times_out_after(answer_s: float, *, connected: bool = True) -> float:
    with pytest.raises(TimeoutError):
        await ends_after(answer_s, connected=connected)
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize("connected", [True, False])
def test_an_answer_in_time_is_read(*, connected: bool) -> None:
    assert run_virtual(ends_after(0.9, connected=connected)) == pytest.approx(0.9)


def test_a_call_without_an_answer_ends_at_its_timeout() -> None:
    assert run_virtual(times_out_after(99)) == pytest.approx(2.0)


def test_a_call_without_a_connection_ends_earlier() -> None:
    assert run_virtual(times_out_after(99, connected=False)) == pytest.approx(1.0)


@pytest.mark.parametrize("answer_s", [0.5, 0.999, 1.0, 1.5, 1.999, 2.0])
@pytest.mark.parametrize("connected", [True, False])
def test_an_answer_that_came_while_the_process_was_stopped_is_read(
    answer_s: float, *, connected: bool
) -> None:
    ended = run_virtual(ends_after(answer_s, connected=connected), stopped_once())
    assert ended == pytest.approx(min(answer_s, 1.0) + STOPPED_S, abs=GRACE_S)


def test_a_call_without_an_answer_ends_soon_after_the_process_was_stopped() -> None:
    ended = run_virtual(times_out_after(99), stopped_once())
    assert ended <= 2.0 + STOPPED_S + GRACE_S


def test_a_loop_that_is_always_late_ends_its_calls_all_the_same() -> None:
    assert run_virtual(times_out_after(999), lambda: 2 * LATE_S) < 10


@pytest.mark.parametrize("late_s", [0.0, 60.0])
def test_who_cancels_the_call_is_heard(late_s: float) -> None:
    async def cancelled() -> None:
        task = asyncio.create_task(ends_after(99))
        asyncio.get_running_loop().call_later(1.5, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtual(cancelled(), lambda: late_s)


def test_a_timeout_leaves_the_task_as_it_was() -> None:
    async def again() -> float:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await ends_after(99)
        task = asyncio.current_task()
        assert task
        assert task.cancelling() == 0
        return asyncio.get_running_loop().time()

    assert run_virtual(again()) == pytest.approx(6.0)
