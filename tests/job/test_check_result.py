"""What looking for a flow says of what is recorded of it, and which flows a sample takes."""

import random
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.job.check_result import check_result, patience_for, sample_of
from flowreaper.model import Flow, Reply, State
from flowreaper.safeguards.verify import NO_PATIENCE, PATIENCE_S, Gone, There, Unknown
from flowreaper.store.verification import Check, Suspect

GONE, THERE, UNKNOWN = Gone(Reply(404)), There("DRAFT"), Unknown(Reply(400))


def suspect(state: State, *, inferred: bool = False) -> Suspect:
    return Suspect(1, Flow("7"), state, inferred)


@pytest.mark.parametrize(
    ("of", "gone", "there", "unknown"),
    [
        (suspect(State.DELETED), Check.GONE, Check.REMAINS, Check.UNKNOWN),
        (suspect(State.DELETED, inferred=True), Check.GONE, Check.REOPENED, Check.UNKNOWN),
        (suspect(State.ABSENT), Check.GONE, Check.REMAINS, Check.UNKNOWN),
        (suspect(State.PENDING), Check.SETTLED_DELETED, Check.SETTLED_PENDING, Check.STILL_IN_DOUBT),
        (suspect(State.CLAIMED), Check.SETTLED_DELETED, Check.SETTLED_PENDING, Check.STILL_IN_DOUBT),
        (suspect(State.GAVE_UP), Check.SETTLED_DELETED, Check.SETTLED_PENDING, Check.STILL_IN_DOUBT),
        (suspect(State.REFUSED), Check.SETTLED_DELETED, Check.SETTLED_REFUSED, Check.STILL_IN_DOUBT),
        (suspect(State.KEPT), Check.KEPT_GONE, Check.KEPT, Check.KEPT_UNKNOWN),
    ],
)
def test_what_is_seen_settles_what_is_recorded(
    of: Suspect, gone: Check, there: Check, unknown: Check
) -> None:
    assert [check_result(of, seen) for seen in (GONE, THERE, UNKNOWN)] == [gone, there, unknown]


def test_only_a_flow_that_should_be_gone_is_looked_at_with_patience() -> None:
    for state, inferred in product(State, (False, True)):
        wanted = NO_PATIENCE if state is State.KEPT else PATIENCE_S
        assert patience_for(suspect(state, inferred=inferred)) == wanted


def below(seed: int) -> Callable[[int], int]:
    return random.Random(seed).randrange  # noqa: S311 -- chooses a sample


@given(st.integers(0, 60), st.integers(1, 70), st.integers())
def test_a_sample_is_spread_over_the_whole_job_and_the_seed_chooses_it(
    total: int, count: int, seed: int
) -> None:
    rows = [10 * place for place in range(total)]
    sample = sample_of(rows, count, below(seed))
    assert sample == sample_of(rows, count, below(seed))
    taken = min(count, total)
    assert len(set(sample)) == len(sample) == taken
    for part, row in enumerate(sample):
        assert row in rows[part * total // taken : (part + 1) * total // taken]
