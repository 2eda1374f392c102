import asyncio

import pytest

from flowreaper.errors import CheckpointError, RunError
from flowreaper.limiter.adaptive import LEAST_WIDENING_S, MOST_WIDENING_S
from flowreaper.limiter.saved_pace import NOTE, SavedPace, learned_pace
from flowreaper.limiter.sliding_window import Pace
from tests.virtual import run_virtual


class Notes:
    """A job's notes."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str]] = []

    async def note(self, name: str, value: str) -> None:
        self.kept.append((name, value))


class Broken:
    """Notes that cannot be written."""

    async def note(self, name: str, value: str) -> None:  # noqa: ARG002 -- the port
        raise CheckpointError("disk full")


def unexpected(error: RunError) -> None:
    raise error


def throttle(pace: Pace, times: int) -> None:
    """Let a pace learn."""
    for number in range(times):
        at = 100.0 + 10 * number
        pace.begin(at)
        pace.sent(at)
        pace.throttled(at, at + 0.1)


@pytest.mark.parametrize(
    ("noted", "widening_s"),
    [
        ("0.0312", 0.0312),
        ("", LEAST_WIDENING_S),
        ("much", LEAST_WIDENING_S),
        ("nan", LEAST_WIDENING_S),
        ("-1", LEAST_WIDENING_S),
        ("1e300", MOST_WIDENING_S),
    ],
)
def test_a_noted_pace_is_used_and_nonsense_is_not(noted: str, widening_s: float) -> None:
    assert learned_pace(5, noted).widening_s == widening_s


def test_what_was_learned_is_noted_and_read_back() -> None:
    notes, pace = Notes(), Pace(5)
    saved = SavedPace(pace, notes.note, unexpected)
    throttle(pace, 4)
    asyncio.run(saved.save())
    ((name, value),) = notes.kept
    assert name == NOTE
    assert learned_pace(5, value).widening_s == pytest.approx(pace.widening_s, abs=1e-4)


def test_what_has_hardly_changed_is_not_saved_again() -> None:
    notes, pace = Notes(), Pace(5)
    saved = SavedPace(pace, notes.note, unexpected)
    asyncio.run(saved.save())
    throttle(pace, 4)
    asyncio.run(saved.save())
    asyncio.run(saved.save())
    assert len(notes.kept) == 1


def test_it_is_saved_while_the_run_goes_on() -> None:
    notes, pace = Notes(), Pace(5)

    async def scenario() -> None:
        running = asyncio.create_task(SavedPace(pace, notes.note, unexpected).run())
        throttle(pace, 4)
        await asyncio.sleep(6)
        assert len(notes.kept) == 1
        running.cancel()
        await asyncio.wait([running])

    run_virtual(scenario())


def test_a_note_that_cannot_be_written_is_reported_and_ends_the_saving() -> None:
    errors: list[RunError] = []
    pace = Pace(5)

    async def scenario() -> None:
        running = asyncio.create_task(SavedPace(pace, Broken().note, errors.append).run())
        throttle(pace, 4)
        await running

    run_virtual(scenario())
    assert [str(error) for error in errors] == ["disk full"]
