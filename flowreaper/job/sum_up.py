"""A run summed up: what its lane did, between what its checkpoint held before and what it holds at the end."""

from dataclasses import replace

from flowreaper.job.checkpoint_state import EndState, StartState
from flowreaper.job.lane import Lane
from flowreaper.job.summary import Summary
from flowreaper.model import Ending


def sum_up(
    lane: Lane, seconds: float, start: StartState, end: EndState, *, listed: bool, read_all: bool
) -> Summary:
    """Sum a run up that took so long; `listed`: it called only flows that its input listed."""
    # Known flows that the run takes are in the input, too, and were not skipped.
    taken = lane.sink.resumed + (start.to_call if listed else 0)
    summary = Summary(
        ending=lane.workers.ending or Ending.FINISHED,
        this_run=dict(+lane.sink.recorded),
        seconds=seconds,
        calls=lane.workers.calls,
        throttled=lane.replies.throttled,
        repeated=max(0, lane.sink.repeated - taken),
        read_all=read_all,
        error=lane.workers.error,
        inferred=lane.sink.inferred,
        counts=end.counts,
        in_doubt=end.in_doubt,
        unlisted=end.unlisted,
        never_deleted=end.never_deleted,
        causes=end.causes,
        started_at_ms=start.run.started_at_ms,
        rate=start.run.rate,
    )
    return replace(summary, ending=_ending(summary))


def _ending(summary: Summary) -> Ending:
    """Return how a run ended once its flows are counted."""
    ending = summary.ending
    if ending in (Ending.LIMIT, Ending.TIME_UP) and summary.read_all and not summary.left:
        ending = Ending.FINISHED  # the limit came with the last flow
    if ending is Ending.FINISHED and summary.failed:
        return Ending.INCOMPLETE
    return ending
