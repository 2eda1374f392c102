"""What stands on a line of 120, 80, 40 and 20 columns, and what holds for any width."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.terminal.layout import Kind, lay_out
from flowreaper.cli.terminal.progress import View
from flowreaper.model import State
from tests.cli.terminal.emulator import snapshot

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)  # a Wednesday
RESUMED = View(
    snapshot(
        before={State.DELETED: 740_000},
        done={State.DELETED: 1_230, State.REFUSED: 4},
        left=258_766,
        in_doubt=3,
        permitted_per_s=4.7,
        calls=1_234,
    ),
    4.66,
    198_120.0,
    NOON,
)
FRESH = View(snapshot(done={State.DELETED: 100}, left=300), 5.0, 65.0, NOON)
STOPPED = View(replace(FRESH.run, stops_in_s=64_800.0), 5.0, 64_800.0, NOON)
READING = View(snapshot(done={State.DELETED: 5}, left=7, reading=True), 5.0, None, NOON)
SILENT = View(replace(RESUMED.run, silent_s=200.0), 0.0, 198_120.0, NOON)


@pytest.mark.parametrize(
    ("view", "columns", "bar", "text"),
    [
        (
            RESUMED,
            160,
            24,
            (
                "741,234/1,000,000 74%  this run 1,234  4.7/s  4 refused  3 in doubt"
                "  55 h 2 min left, until Fri 2026-11-27 19:02  service admits 4.7/s"
            ),
        ),
        (
            RESUMED,
            119,
            0,
            (
                "741,234/1,000,000 74%  4.7/s  4 refused  3 in doubt"
                "  55 h 2 min left, until Fri 2026-11-27 19:02  service admits 4.7/s"
            ),
        ),
        (RESUMED, 79, 8, "741,234/1,000,000 74%  4.7/s  4 refused  3 in doubt  55 h 2 min left"),
        (RESUMED, 39, 0, "741,234/1,000,000 74%  55 h 2 min left"),
        (RESUMED, 19, 0, "741,234/1,000,000"),
        (RESUMED, 12, 0, "741k/1000k"),
        (RESUMED, 4, 0, "74%"),
        (RESUMED, 0, 0, ""),
        (FRESH, 119, 40, "100/400 25%  5.0/s  1 min 5 s left, until 12:01"),
        (FRESH, 79, 28, "100/400 25%  5.0/s  1 min 5 s left, until 12:01"),
        (FRESH, 39, 0, "100/400 25%  5.0/s  1 min 5 s left"),
        (FRESH, 19, 0, "100/400 25%  5.0/s"),
        (STOPPED, 79, 16, "100/400 25%  5.0/s  18 h left, stops at Thu 2026-11-26 06:00"),
        (STOPPED, 55, 0, "100/400 25%  5.0/s  18 h left, stops at Thu 06:00"),
        (READING, 79, 0, "5/12+  5.0/s"),
        (
            SILENT,
            99,
            0,
            "741,234/1,000,000 74%  4 refused  3 in doubt  55 h 2 min left, until Fri 19:02  no answer for 3 min",
        ),
    ],
)
def test_the_wider_the_terminal_the_more_is_said(view: View, columns: int, bar: int, text: str) -> None:
    line = lay_out(view, columns)
    assert line.text == text
    assert line.bar == bar


def test_a_run_that_waits_for_its_first_ids_says_so_and_counts_nothing() -> None:
    assert lay_out(View(snapshot(reading=True), 0.0, None, NOON), 79).text == "reading input"


def test_a_run_that_has_not_opened_its_checkpoint_says_nothing() -> None:
    line = lay_out(View(snapshot(), 0.0, 0.0, NOON), 79)
    assert (line.text, line.bar) == ("", 0)


def test_no_clock_time_stands_without_the_time_left() -> None:
    silent = View(snapshot(left=1, silent_s=200.0), 0.0, 599.0, NOON)
    assert lay_out(silent, 19).text == "0/1 0%"  # ", until 12:09" would fit
    assert lay_out(silent, 24).text == "0/1 0%  9 min 59 s left"


COUNTS = st.dictionaries(st.sampled_from(State), st.integers(0, 10**7))
SNAPSHOTS = st.builds(
    snapshot,
    before=COUNTS,
    done=COUNTS,
    left=st.integers(0, 10**8),
    in_doubt=st.integers(0, 10**6),
    throttled=st.integers(0, 10**6),
    reading=st.booleans(),
    silent_s=st.none() | st.floats(0, 10**6),
    rate=st.floats(0.1, 5000),
    permitted_per_s=st.floats(0, 5000),
    other_clients_per_s=st.none() | st.floats(0, 5000),
    limit=st.none() | st.integers(0, 10**8),
    stops_in_s=st.none() | st.floats(0, 10**10),
)
VIEWS = st.builds(View, SNAPSHOTS, st.floats(0, 5000), st.none() | st.floats(0, 10**10), st.just(NOON))


@given(VIEWS, st.integers(-1, 250))
def test_a_line_is_never_wider_than_its_place(view: View, columns: int) -> None:
    line = lay_out(view, columns)
    assert line.columns <= max(0, columns)
    assert line.text.isascii()
    assert line.text.isprintable()
    assert ("100%" in line.text) is (Kind.PERCENT in {p.kind for p in line.parts} and not view.run.to_do)


@given(VIEWS, st.integers(0, 250))
def test_what_is_said_on_a_line_is_said_in_order_and_once(view: View, columns: int) -> None:
    kinds = [part.kind for part in lay_out(view, columns).parts if part.kind is not Kind.TROUBLE]
    assert kinds == sorted(set(kinds), key=lambda kind: kind.value)
    assert Kind.CLOCK not in kinds or Kind.TIME_LEFT in kinds


@given(
    done=st.integers(0, 9_999_999),
    left=st.integers(1, 9_999_999),
    left_s=st.floats(0, 3_600_000),
    refused=st.integers(0, 10**6),
)
def test_counts_and_time_left_survive_at_40_columns(
    done: int, left: int, left_s: float, refused: int
) -> None:
    run = snapshot(done={State.DELETED: done, State.REFUSED: refused}, left=left, before={State.ABSENT: 9})
    kinds = {part.kind for part in lay_out(View(run, 5.0, left_s, NOON), 39).parts}
    assert {Kind.COUNTS, Kind.TIME_LEFT} <= kinds
