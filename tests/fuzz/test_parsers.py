"""Any bytes at all give outcomes or a clear error of one line: what was found, and runs of thousands of inputs.

The long variants: ``pytest -m long tests/fuzz``; guided by coverage: ``python -m tests.fuzz``.
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import (
    CHECKS,
    SEEDS,
    check_answer,
    check_checkpoint,
    check_input,
    sound_checkpoint,
)

LONG = settings(max_examples=20_000)
SOUND = sound_checkpoint()


def forged_schema(statement: str) -> bytes:
    """Return a checkpoint whose schema SQLite cannot understand, and quotes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "c.ckpt")
        path.write_bytes(SOUND)
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'flow'", (statement,))
        return path.read_bytes()


@pytest.mark.parametrize("name", CHECKS)
def test_what_the_runs_start_from_is_sound(name: str) -> None:
    for seed in SEEDS[name]():
        CHECKS[name](seed)


@pytest.mark.parametrize(
    "data",
    [
        b'\x02\xff\t\xff \t\x00\t"0"s\t\n',  # the csv module names the tab that it expected
        b'\x02\x00FlowId\tb\n"1"x\ty\n',
    ],
)
def test_an_input_that_was_found_gives_one_harmless_line(data: bytes) -> None:
    check_input(data)


@pytest.mark.parametrize("statement", ["CREATE TABLE flow (\x1b[2J)", "CREATE TABLE flow (\u202e\n)", "\x1a"])
def test_what_sqlite_quotes_of_a_forged_checkpoint_is_escaped(statement: str) -> None:
    check_checkpoint(forged_schema(statement))


seeded_input = st.sampled_from(SEEDS["input"]()).flatmap(
    lambda seed: st.integers(0, len(seed)).flatmap(
        lambda at: st.binary(max_size=12).map(lambda piece: seed[:at] + piece + seed[at:])
    )
)
damage = st.lists(
    st.tuples(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=8
)


def damaged(places: list[tuple[int, bytes]], left: int) -> bytes:
    content = bytearray(SOUND)
    for at, piece in places:
        content[at : at + len(piece)] = piece
    return bytes(content[:left])


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(LONG)
@given(st.binary(max_size=200) | seeded_input)
def test_any_input_gives_entries_or_an_error(data: bytes) -> None:
    check_input(data)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(LONG)
@given(st.binary(max_size=200) | st.sampled_from(SEEDS["answer"]()).map(bytes))
def test_any_answer_gives_a_reply_and_a_classification(data: bytes) -> None:
    check_answer(data)


@pytest.mark.long
@pytest.mark.timeout(1800)
@settings(max_examples=2_000)
@given(damage, st.integers(1, len(SOUND)) | st.just(len(SOUND)))
def test_any_damage_to_a_checkpoint_is_read_or_told(places: list[tuple[int, bytes]], left: int) -> None:
    check_checkpoint(damaged(places, left))
