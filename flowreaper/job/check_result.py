"""What looking for a flow says of what is recorded of it, and which flows a sample takes. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from flowreaper.model import State
from flowreaper.safeguards.verify import NO_PATIENCE, PATIENCE_S, Gone, Sighting, There
from flowreaper.store.verification import CheckResult, Suspect


def check_result(suspect: Suspect, sighting: Sighting) -> CheckResult:
    """Return what was found of a flow, from what is recorded of it and what looking for it found.

    A deletion that the service confirmed is final, whatever is there. One that was only inferred is no confirmation.
    """
    if suspect.state is State.KEPT:
        gone, there, unknown = CheckResult.KEPT_GONE, CheckResult.KEPT, CheckResult.KEPT_UNKNOWN
    elif suspect.state in (State.DELETED, State.ABSENT):
        by_inference = suspect.state is State.DELETED and suspect.inferred
        gone, unknown = CheckResult.GONE, CheckResult.UNKNOWN
        there = CheckResult.REOPENED if by_inference else CheckResult.REMAINS
    else:
        gone, unknown = CheckResult.SETTLED_DELETED, CheckResult.STILL_IN_DOUBT
        there = CheckResult.SETTLED_REFUSED if suspect.state is State.REFUSED else CheckResult.SETTLED_PENDING
    if isinstance(sighting, Gone):
        return gone
    return there if isinstance(sighting, There) else unknown


def patience_for(suspect: Suspect) -> Sequence[float]:
    """Return how long to doubt that a flow is there: the waits between the looks, in seconds."""
    return NO_PATIENCE if suspect.state is State.KEPT else PATIENCE_S


def sample_of(rows: Sequence[int], count: int, below: Callable[[int], int]) -> list[int]:
    """Return `count` of the rows, or all if there are no more, in their order: one from each of as many equal parts.

    `below` returns a random number from 0 up to, and without, its argument.
    """
    count = min(count, len(rows))
    edges = [place * len(rows) // count for place in range(count + 1)] if count else [0]
    return [rows[start + below(end - start)] for start, end in pairwise(edges)]
