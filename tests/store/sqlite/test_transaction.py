"""A transaction is kept whole, or not at all."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from flowreaper.store.sqlite.transaction import transaction


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        made.execute("CREATE TABLE kept (value INTEGER)")
        yield made


def kept(db: sqlite3.Connection) -> list[int]:
    return [value for (value,) in db.execute("SELECT value FROM kept ORDER BY value")]


def fail_after(db: sqlite3.Connection, statement: str) -> None:
    with transaction(db):
        db.execute(statement)
        db.execute("DELETE FROM missing")


def test_what_the_block_did_is_committed(db: sqlite3.Connection) -> None:
    with transaction(db):
        db.execute("INSERT INTO kept VALUES (1)")
        db.execute("INSERT INTO kept VALUES (2)")
    assert not db.in_transaction
    assert kept(db) == [1, 2]


def test_an_error_rolls_all_of_it_back_and_is_raised(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        fail_after(db, "INSERT INTO kept VALUES (1)")
    assert not db.in_transaction
    assert kept(db) == []


def test_an_error_after_which_sqlite_rolled_back_itself_is_raised_as_it_is(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        fail_after(db, "ROLLBACK")
    assert not db.in_transaction
