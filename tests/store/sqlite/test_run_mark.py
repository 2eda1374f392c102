"""The mark of a run: what the next one concludes from it. `tests.crash.test_log` tries it on real files."""

import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.store.sqlite.run_mark import Mark, is_whole, parse, parse_holder, this_run

tokens = st.lists(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), min_size=1, max_size=4).map(tuple)
marks = st.builds(Mark, st.integers(0, 10**9), st.integers(0, 10**9), tokens)


@given(marks)
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert parse(mark.text()) == mark


@given(marks, st.integers(0, 20), st.characters(codec="ascii", exclude_categories=["Cc"]))
def test_a_torn_mark_is_none(mark: Mark, at: int, other: str) -> None:
    text = mark.text()
    torn = text[:at] + other + text[at + 1 :]
    assert torn == text or parse(torn) is None
    assert parse(text[:-1]) is None


@pytest.mark.parametrize("value", [None, 5, b"x", "", "x", " ", "1 2 a 00000000", "x y z w"])
def test_what_no_run_wrote_is_no_mark(value: object) -> None:
    assert parse(value) is None


def test_a_mark_keeps_its_length_while_it_is_closed_so_that_no_page_moves() -> None:
    opened = Mark().next().folded().next()
    assert len(opened.text()) - len(opened.folded().text()) == len(",") + 16
    assert len({len(Mark(n, n, ("0" * 16,)).text()) for n in (0, 9, 10**11)}) == 1


FIRST = Mark().next()
CLOSED = FIRST.folded()
SECOND = CLOSED.next()
NEVER = Mark().next()


@pytest.mark.parametrize(
    ("main", "effective", "in_log", "whole"),
    [
        # a clean end, or never begun
        (Mark(), Mark(), False, True),
        (CLOSED, CLOSED, False, True),
        # the log is there
        (Mark(), FIRST, True, True),
        (FIRST, CLOSED, True, True),
        (FIRST, SECOND, True, True),
        # killed between the fold and the commit behind it
        (FIRST, FIRST, True, True),
        (SECOND, SECOND, True, True),
        # the log is gone, or another one
        (FIRST, FIRST, False, False),
        (SECOND, SECOND, False, False),
        (FIRST, NEVER.folded(), True, False),
        (CLOSED, NEVER.folded(), True, False),
        (CLOSED, FIRST, True, False),
        (SECOND, CLOSED, True, False),
        (SECOND, FIRST, True, False),
        # the main file's page is torn, and the log mends it
        (None, CLOSED, True, True),
        (None, SECOND, True, True),
        (None, SECOND, False, False),
    ],
)
def test_nothing_is_missing_where_the_log_follows_from_the_main_file(
    main: Mark | None,
    effective: Mark,
    in_log: bool,  # noqa: FBT001 -- a parameter of the test
    whole: bool,  # noqa: FBT001 -- the same
) -> None:
    assert is_whole(main, effective, in_log=in_log) == whole


def test_a_fold_that_a_reader_held_up_keeps_the_tokens_that_the_main_file_may_still_have() -> None:
    assert SECOND.next() == SECOND
    lost = SECOND.reopened()
    for main in (CLOSED, FIRST, SECOND, lost):
        assert is_whole(main, lost, in_log=True)
    assert not is_whole(CLOSED, lost.folded().next(), in_log=True)


def test_a_run_says_who_it_is() -> None:
    holder = parse_holder(this_run())
    assert holder
    assert (holder.pid, holder.host) == (os.getpid(), socket.gethostname())
    assert str(holder).startswith(f"pid {os.getpid()} on {socket.gethostname()} since 2")


def test_a_forged_name_steers_no_terminal() -> None:
    said = json.dumps({"pid": 5, "host": "\x1b[2J", "since": "2026-11-25T10:00:00+00:00"})
    assert str(parse_holder(said)) == "pid 5 on \\x1b[2J since 2026-11-25T10:00:00+00:00"


@pytest.mark.parametrize(
    "said",
    [
        *(None, b"x", 5, "", "5", "null", '{"pid": 1}', "[" * 4096),
        '{"pid": "1", "host": "a", "since": "2026-11-25T10:00:00+00:00"}',
        '{"pid": 1, "host": 2, "since": "2026-11-25T10:00:00+00:00"}',
        '{"pid": 1, "host": "a", "since": "2026-11-25T10:00:00"}',
        '{"pid": 1, "host": "a", "since": "noon"}',
    ],
)
def test_what_no_run_said_is_nobody(said: object) -> None:
    assert parse_holder(said) is None
