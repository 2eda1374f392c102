"""What a run did, counted."""

from dataclasses import replace

import pytest

from flowreaper.errors import OutcomesError, OutputError
from flowreaper.job.summary import Summary
from flowreaper.model import Ending, State


def test_summary_counts_what_is_left_and_what_failed() -> None:
    counts = {state: 10**place for place, state in enumerate(State)}
    summary = Summary(Ending.FINISHED, counts, {}, seconds=0.0, calls=0, throttled=0, repeated=0)
    assert summary.unfinished == counts[State.PENDING] + counts[State.CLAIMED]
    assert summary.failed == counts[State.REFUSED] + counts[State.GAVE_UP] + counts[State.INVALID]


def test_summary_of_an_empty_checkpoint_is_zero() -> None:
    summary = Summary(Ending.FINISHED, {}, {}, seconds=0.0, calls=0, throttled=0, repeated=0)
    assert (summary.unfinished, summary.failed) == (0, 0)


DONE = Summary(
    Ending.FINISHED,
    {State.DELETED: 4, State.ABSENT: 1},
    {State.DELETED: 3, State.ABSENT: 1},
    seconds=1.0,
    calls=4,
    throttled=0,
    repeated=0,
)


def test_a_run_whose_flows_are_gone_raises_nothing_whatever_other_runs_did() -> None:
    DONE.raise_for_outcomes()
    replace(DONE, counts={State.REFUSED: 7, State.PENDING: 2}, unlisted=2).raise_for_outcomes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"this_run": {State.REFUSED: 2, State.DELETED: 1}}, "2 refused"),
        (
            {"this_run": {State.REFUSED: 1200, State.INVALID: 1, State.GAVE_UP: 3}},
            "1,200 refused, 3 given up, 1 invalid",
        ),
        (
            {"counts": {State.PENDING: 5, State.CLAIMED: 1}, "unlisted": 4, "ending": Ending.LIMIT},
            "2 left: the limit of flows was reached; flows or input are left",
        ),
        (
            {"counts": {State.PENDING: 5}, "unlisted": None, "read_all": False, "ending": Ending.INTERRUPTED},
            "up to 5 left: interrupted by a signal or by the caller",
        ),
        (
            {"unlisted": None, "read_all": False, "ending": Ending.INTERRUPTED},
            "none is known to be left: interrupted by a signal or by the caller",
        ),
        (
            {"error": OutputError("the disk is full"), "ending": Ending.STOPPED},
            "none is known to be left: the disk is full",
        ),
    ],
)
def test_flows_that_are_not_gone_raise_their_numbers_and_why_they_are_left(
    change: dict[str, object], message: str
) -> None:
    summary = replace(DONE, **change)  # type: ignore[arg-type]
    with pytest.raises(OutcomesError) as caught:
        summary.raise_for_outcomes()
    assert str(caught.value) == f"flows of this run: {message}"
    assert caught.value.summary is summary
    assert caught.value.__cause__ is summary.error
