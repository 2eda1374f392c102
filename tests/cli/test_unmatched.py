"""A mistyped code does not look like "nothing failed"."""

from dataclasses import replace

import pytest

from flowreaper.cli.unmatched import Holdings, notes
from flowreaper.model import State
from flowreaper.store.selection import Selection
from flowreaper.store.store import Status
from tests.samples import AT_MS

STATUS = Status(
    endpoint="https://cams.example",
    sandbox=False,
    access_key="LTAI****Key1",
    states={State.DELETED: 1200, State.REFUSED: 12, State.GAVE_UP: 1, State.INVALID: 2},
    inferred=0,
    in_doubt=0,
    codes={
        State.DELETED: {"OK": 1200},
        State.REFUSED: {"Flow.Locked": 11, "Flow.In\x1bUse": 1},
        State.GAVE_UP: {"": 1},
        State.INVALID: {"": 2},
    },
)
HOLDS = Holdings("ids.txt.ckpt", STATUS, {"": 1210, "cams-a1": 3}, AT_MS)


def only(wanted: Selection, holds: Holdings = HOLDS, *, found: bool = False) -> str:
    (note,) = notes(wanted, holds, found=found)
    return note


@pytest.mark.parametrize("found", [False, True])
def test_an_unknown_code_is_named_with_the_nearest_and_all_there_are(*, found: bool) -> None:
    assert only(Selection(codes=("OK", "flow.lokced")), found=found) == (
        "no flow of ids.txt.ckpt has the code flow.lokced. Did you mean Flow.Locked?"
        " Its codes: OK (1,200), Flow.Locked (11), Flow.In\\x1bUse (1), - (1)"
    )


def test_an_unknown_space_is_named_with_the_spaces_there_are() -> None:
    assert only(Selection(spaces=("b",))) == (
        "no flow of ids.txt.ckpt is of the space b. Its spaces: - (1,210), cams-a1 (3)"
    )


def test_no_code_is_a_code_to_ask_for() -> None:
    assert notes(Selection(codes=("",)), HOLDS, found=True) == []
    some = replace(STATUS, codes={State.DELETED: {"OK": 1}, State.INVALID: {"": 1}})
    assert "has the code -." in only(Selection(codes=("",)), replace(HOLDS, status=some))


def test_many_codes_are_cut() -> None:
    many = replace(STATUS, codes={State.REFUSED: {f"C{n}": 1 for n in range(13)}})
    assert only(Selection(codes=("x",)), replace(HOLDS, status=many)).endswith("C9 (1) and 3 more")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            Selection((State.ABSENT, State.PENDING)),
            "is absent or pending. It holds deleted (1,200), refused (12)",
        ),
        (Selection(since_ms=AT_MS + 1), "the last one ended at 2023-11-14T22:13:20.123Z"),
        (Selection((State.DELETED,), ("Flow.Locked",)), "matches all of these options together"),
    ],
)
def test_why_nothing_was_found_is_said(wanted: Selection, words: str) -> None:
    assert words in only(wanted)


def test_an_empty_checkpoint_and_one_without_an_outcome_are_told_apart() -> None:
    empty = replace(HOLDS, status=replace(STATUS, states={}, codes={}), spaces={}, newest_ms=0)
    assert only(Selection(), empty) == "ids.txt.ckpt holds nothing yet"
    pending = replace(HOLDS, status=replace(STATUS, states={State.PENDING: 1}), newest_ms=0)
    assert only(Selection(since_ms=1), pending).endswith("nothing has ended yet")
