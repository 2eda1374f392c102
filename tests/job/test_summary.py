"""What a run did, counted."""

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
