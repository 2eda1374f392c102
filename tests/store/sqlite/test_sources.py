"""Sources by name and by number."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest

from flowreaper.store.sqlite import schema
from flowreaper.store.sqlite.sources import Sources


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        schema.create(made)
        yield made


def test_a_source_is_added_once_and_found_by_its_number(db: sqlite3.Connection) -> None:
    sources = Sources()
    first, second = sources.number(db, "a.txt"), sources.number(db, "b.txt")
    assert (sources.number(db, "a.txt"), Sources().number(db, "b.txt")) == (first, second)
    assert (sources.name(db, first), sources.name(db, second)) == ("a.txt", "b.txt")
    assert db.execute("SELECT count(*) FROM source").fetchone() == (2,)


def test_after_a_rollback_a_source_is_added_anew(db: sqlite3.Connection) -> None:
    sources = Sources()
    db.execute("BEGIN")
    sources.number(db, "a.txt")
    db.execute("ROLLBACK")
    sources.forget_new()
    assert sources.name(db, sources.number(db, "a.txt")) == "a.txt"


def test_an_unknown_number_has_no_name_and_a_forged_name_is_refused(db: sqlite3.Connection) -> None:
    assert Sources().name(db, 7) == ""
    db.execute("INSERT INTO source (id, name) VALUES (7, x'00')")
    with pytest.raises(ValueError, match="stands where text belongs"):
        Sources().name(db, 7)
