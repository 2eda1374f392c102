"""Whose a results file is, where its last whole line ends, and what makes an outcome the same one."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowreaper.model import Record, State
from flowreaper.sink.formats import json_line
from flowreaper.sink.results_note import ResultsNote, key_of, key_of_line, mend, note_name
from flowreaper.store.records import record_of, record_of_invalid
from tests.samples import claim, invalid, outcome

FIRST = json_line(record_of(outcome(claim())))
NOTE = ResultsNote(5, FIRST, 7, (1, 2, 3))

texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
states = st.sampled_from([state for state in State if state.final and state is not State.INVALID])


def recorded(flow: str, space: str, state: State, message: str | None) -> Record:
    return record_of(outcome(claim(1, flow, space), state))._replace(message=message)


records = st.builds(recorded, texts, texts | st.just(""), states, st.text() | st.none())


def test_a_note_is_read_as_it_was_written() -> None:
    assert ResultsNote.parse(str(NOTE)) == NOTE
    assert ResultsNote.parse(str(ResultsNote())) == ResultsNote()


@pytest.mark.parametrize(
    "changed",
    [
        {"first": 1},
        {"first": "notes of mine\n"},
        {"first": FIRST.rstrip("\n")},
        {"first": '{"flow_id": "'},
        {"after_ms": "0"},
        {"after_ms": -1},
        {"after_ms": 10**30},
        {"outcomes": 3},
        {"size": None},
    ],
)
def test_a_forged_note_is_none(changed: dict[str, object]) -> None:
    assert ResultsNote.parse(json.dumps(json.loads(str(NOTE)) | changed)) is None


@given(st.text())
@example("[" * 100_000)
@example("null")
@example("{}")
def test_any_text_is_a_note_or_none(text: str) -> None:
    assert ResultsNote.parse(text) is None


@given(st.integers(0, len(FIRST)), st.binary(max_size=40))
def test_a_file_is_ours_while_it_starts_as_the_first_line_does(cut: int, rest: bytes) -> None:
    line = FIRST.encode()
    assert NOTE.owns(line + rest)
    assert NOTE.owns(line[:cut]) == (cut > 0)
    assert NOTE.owns(line[:cut] + b"\0" + rest) == (cut == len(line))
    assert not ResultsNote().owns(line + rest)


@given(records, st.data())
def test_half_a_line_of_ours_is_cut_and_a_whole_one_gets_its_end(record: Record, data: st.DataObject) -> None:
    line = json_line(record).encode()
    cut = data.draw(st.integers(1, len(line) - 2))
    assert mend(line[:cut]) == (cut, b"")
    assert mend(line[:-1]) == (0, b"\n")


@pytest.mark.parametrize("tail", [b"mine", b"\0\0\0", b'{"mine": 1', b"[" * 100_000])
def test_what_is_not_ours_is_kept(tail: bytes) -> None:
    assert mend(tail) == (0, b"\n")
    assert mend(b"") == (0, b"")


@given(records, records)
def test_an_outcome_is_the_same_in_the_file_and_in_the_checkpoint(one: Record, two: Record) -> None:
    for record in (one, two):
        assert key_of_line(json_line(record).encode()) == key_of(record)
    same = one[:3] == two[:3]
    assert (key_of(one) == key_of(two)) == same


def test_a_later_outcome_of_a_flow_is_another_one_but_an_invalid_line_s_time_does_not_count() -> None:
    ended = record_of(outcome(claim()))
    assert key_of(ended) != key_of(ended._replace(finished_at="2026-01-01T00:00:00.000Z"))
    assert key_of(record_of_invalid(invalid("x y"), 1)) == key_of(record_of_invalid(invalid("x y"), 2))
    assert key_of(record_of_invalid(invalid("7"), 1)) != key_of(record_of(outcome(claim(1, "7"))))


@pytest.mark.parametrize("line", [b"", b"\xff", b"7", b"null", b"{}", b'{"flow_id": "7"}', b"[" * 100_000])
def test_what_is_no_outcome_has_no_key(line: bytes) -> None:
    assert key_of_line(line) == b""


def test_each_path_has_a_note_of_its_own() -> None:
    assert note_name(b"/a") != note_name(b"/b")
    assert note_name(b"/\xff").startswith("results:")
