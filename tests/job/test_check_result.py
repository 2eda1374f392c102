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
from flowreaper.store.verification import CheckResult, Suspect

GONE, THERE, UNKNOWN = Gone(Reply(404)), There("DRAFT"), Unknown(Reply(400))


def suspect(state: State, *, inferred: bool = False) -> Suspect:
    return Suspect(1, Flow("7"), state, inferred)


@pytest.mark.parametrize(
    ("of", "gone", "there", "unknown"),
    [
        (suspect(State.DELETED), CheckResult.GONE, CheckResult.REMAINS, CheckResult.UNKNOWN),
        (suspect(State.DELETED, inferred=True), CheckResult.GONE, CheckResult.REOPENED, CheckResult.UNKNOWN),
        (suspect(State.ABSENT), CheckResult.GONE, CheckResult.REMAINS, CheckResult.UNKNOWN),
        (
            suspect(State.PENDING),
            CheckResult.SETTLED_DELETED,
            CheckResult.SETTLED_PENDING,
            CheckResult.STILL_IN_DOUBT,
        ),
        (
            suspect(State.CLAIMED),
            CheckResult.SETTLED_DELETED,
            CheckResult.SETTLED_PENDING,
            CheckResult.STILL_IN_DOUBT,
        ),
        (
            suspect(State.GAVE_UP),
            CheckResult.SETTLED_DELETED,
            CheckResult.SETTLED_PENDING,
            CheckResult.STILL_IN_DOUBT,
        ),
        (
            suspect(State.REFUSED),
            CheckResult.SETTLED_DELETED,
            CheckResult.SETTLED_REFUSED,
            CheckResult.STILL_IN_DOUBT,
        ),
        (suspect(State.KEPT), CheckResult.KEPT_GONE, CheckResult.KEPT, CheckResult.KEPT_UNKNOWN),
    ],
)
def test_what_is_seen_settles_what_is_recorded(
    of: Suspect, gone: CheckResult, there: CheckResult, unknown: CheckResult
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
