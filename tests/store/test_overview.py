"""Which of a checkpoint's runs goes on."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flowreaper.store.history import PastRun
from flowreaper.store.overview import Overview
from flowreaper.store.store import Holder, Status
from tests.samples import AT_MS, PAST_RUN

HOLDER = Holder(PAST_RUN.pid, PAST_RUN.host, datetime.fromtimestamp(AT_MS // 1000, UTC))


def live_run(*runs: PastRun, holder: Holder | None = HOLDER, live: bool = True) -> PastRun | None:
    status = Status("https://cams.example", False, "", {}, 0, 0, {}, live, holder)  # noqa: FBT003 -- a long tuple
    return Overview(status=status, sources={}, spaces={}, runs=runs).live_run


def test_it_is_the_last_one_where_it_is_the_one_that_has_the_checkpoint() -> None:
    last = replace(PAST_RUN, number=2)
    assert live_run(replace(PAST_RUN, number=1), last) is last


@pytest.mark.parametrize(
    "differs",
    [
        {"pid": 43},
        {"host": "there"},
        {"started_at_ms": AT_MS // 1000 * 1000 - 1},
        {"ended_at_ms": AT_MS},
    ],
)
def test_it_is_no_run_that_another_process_has_left_or_that_has_ended(differs: dict[str, object]) -> None:
    assert live_run(replace(PAST_RUN, **differs)) is None  # type: ignore[arg-type]  # fields of PastRun


def test_it_is_none_before_the_first_one_has_begun_or_where_nobody_has_the_checkpoint() -> None:
    assert live_run() is None
    assert live_run(PAST_RUN, live=False) is None
    assert live_run(PAST_RUN, holder=None) is None
