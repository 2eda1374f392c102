"""The checkpoint's tables: what they are known by, and whose they are."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointRefusedError
from flowreaper.job.history import run_that_begins
from flowreaper.store.sqlite import history, schema
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.history import History
from flowreaper.store.store import Identity
from tests.samples import IDENTITY


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        yield made


def test_an_empty_database_becomes_a_checkpoint_that_knows_its_job(db: sqlite3.Connection) -> None:
    assert schema.is_empty(db, "c")
    schema.prepare(db, "c", IDENTITY)
    assert not schema.is_empty(db, "c")
    schema.check(db, "c")
    assert schema.job(db) == {
        "endpoint": IDENTITY.endpoint,
        "sandbox": "no",
        "access_key": IDENTITY.access_key,
    }
    assert db.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"flrp"),)


def test_preparing_anew_keeps_what_is_there_and_notes_the_new_key(db: sqlite3.Connection) -> None:
    schema.prepare(db, "c", IDENTITY)
    db.execute("INSERT INTO source (name) VALUES ('s')")
    schema.prepare(db, "c", Identity(IDENTITY.endpoint, IDENTITY.sandbox, "LTAI****Key2"))
    assert schema.job(db)["access_key"] == "LTAI****Key2"
    assert db.execute("SELECT name FROM source").fetchall() == [("s",)]


@pytest.mark.parametrize("sandbox", [True, False])
@pytest.mark.parametrize("endpoint", [IDENTITY.endpoint, "https://else.example"])
def test_only_the_same_endpoint_and_the_same_kind_of_service_is_the_same_job(
    endpoint: str, *, sandbox: bool
) -> None:
    known = {"endpoint": IDENTITY.endpoint, "sandbox": "no", "access_key": "k"}
    other = Identity(endpoint, sandbox, "another key")
    if (endpoint, sandbox) == (IDENTITY.endpoint, IDENTITY.sandbox):
        schema.check_identity(known, "c", other)
    else:
        with pytest.raises(CheckpointRefusedError, match=r"the checkpoint c was made for .* as before$"):
            schema.check_identity(known, "c", other)


def test_a_checkpoint_that_does_not_know_its_job_yet_may_become_anybodys() -> None:
    schema.check_identity({}, "c", IDENTITY)


def test_the_endpoint_in_a_refusal_is_escaped() -> None:
    with pytest.raises(CheckpointRefusedError) as caught:
        schema.check_identity({"endpoint": "\x1b[2J"}, "c", IDENTITY)
    assert "\\x1b[2J" in str(caught.value)


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE mine (x)", "PRAGMA application_id = 7", "CREATE VIEW job AS SELECT 1"]
)
def test_what_holds_anything_is_not_empty_and_no_checkpoint(db: sqlite3.Connection, statement: str) -> None:
    db.execute(statement)
    assert not schema.is_empty(db, "c")
    before = list(db.iterdump())
    with pytest.raises(CheckpointRefusedError, match="c is not a flowreaper checkpoint"):
        schema.prepare(db, "c", IDENTITY)
    assert list(db.iterdump()) == before


def test_an_empty_database_is_no_checkpoint_to_a_reader(db: sqlite3.Connection) -> None:
    with pytest.raises(CheckpointRefusedError, match="not a flowreaper checkpoint"):
        schema.check(db, "c")


@pytest.mark.parametrize("version", [0, 4, -1])
def test_another_version_is_refused(db: sqlite3.Connection, version: int) -> None:
    schema.create(db)
    db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(CheckpointRefusedError, match=f"of version {version}"):
        schema.check(db, "c")


def make_version_1(db: sqlite3.Connection) -> None:
    """Make what flowreaper 0.1.0 left: version 1 had the same tables, but no history."""
    schema.prepare(db, "c", IDENTITY)
    for table in ("run", "minute", "verification", "remaining"):
        db.execute(f"DROP TABLE {table}")
    db.execute("PRAGMA user_version = 1")
    db.execute("INSERT INTO flow (flow_id, cust_space_id, source, line) VALUES ('7', '', 1, 1)")


def test_version_1_is_read_as_it_is_and_migrated_when_a_run_opens_it(db: sqlite3.Connection) -> None:
    make_version_1(db)
    schema.check(db, "c")
    assert (history.runs(db), history.minutes(db)) == ((), ())
    assert schema.version(db) == 1
    schema.prepare(db, "c", IDENTITY)
    assert schema.version(db) == schema.VERSION
    assert (history.runs(db), history.minutes(db)) == ((), ())
    assert db.execute("SELECT flow_id FROM flow").fetchall() == [("7",)]


def test_a_migration_is_whole_or_not_at_all(db: sqlite3.Connection) -> None:
    make_version_1(db)
    before = list(db.iterdump())

    def refuse_the_last_step(action: int, name: str | None, *_: object) -> int:
        forbidden = action == sqlite3.SQLITE_PRAGMA and name == "user_version" and _[0] is not None
        return sqlite3.SQLITE_DENY if forbidden else sqlite3.SQLITE_OK

    db.set_authorizer(refuse_the_last_step)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        schema.prepare(db, "c", IDENTITY)
    db.set_authorizer(None)
    assert list(db.iterdump()) == before
    assert schema.version(db) == 1


def test_another_jobs_version_1_is_refused_before_it_is_migrated(db: sqlite3.Connection) -> None:
    make_version_1(db)
    with pytest.raises(CheckpointRefusedError, match="was made for"):
        schema.prepare(db, "c", Identity("https://else.example", sandbox=False, access_key="k"))
    assert schema.version(db) == 1


def test_a_migrated_checkpoint_has_the_tables_of_a_new_one(db: sqlite3.Connection) -> None:
    make_version_1(db)
    schema.prepare(db, "c", IDENTITY)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.prepare(fresh, "c", IDENTITY)
        tables = "SELECT name, sql FROM sqlite_master ORDER BY name"
        assert db.execute(tables).fetchall() == fresh.execute(tables).fetchall()


def make_version_2(db: sqlite3.Connection) -> None:
    """Make what version 2 was: no flow was kept, and nothing verified."""
    schema.prepare(db, "c", IDENTITY)
    History(Database(Path("c"), db)).begin(run_that_begins("LTAI****", 5.0))
    db.execute("ALTER TABLE run DROP COLUMN kept")
    for table in ("verification", "remaining"):
        db.execute(f"DROP TABLE {table}")
    db.execute("PRAGMA user_version = 2")


def test_version_2_is_read_as_it_is_and_migrated_when_a_run_opens_it(db: sqlite3.Connection) -> None:
    make_version_2(db)
    (before,) = history.runs(db)
    assert schema.version(db) == 2
    schema.prepare(db, "c", IDENTITY)
    assert schema.version(db) == schema.VERSION
    assert history.runs(db) == (before,)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.prepare(fresh, "c", IDENTITY)
        for table in ("run", "minute", "verification", "remaining"):
            columns = f"SELECT name, type FROM pragma_table_info('{table}')"  # noqa: S608 -- names from the line above
            assert db.execute(columns).fetchall() == fresh.execute(columns).fetchall()


def test_another_account_is_refused_by_number(db: sqlite3.Connection) -> None:
    mine = replace(IDENTITY, account="1000000000000001", arn="acs:ram::1000000000000001:user/a")
    schema.prepare(db, "c", mine)
    with pytest.raises(
        CheckpointRefusedError, match=r"account 1000000000000001, .* account 2000000000000002"
    ):
        schema.prepare(db, "c", replace(mine, account="2000000000000002"))
    assert schema.job(db)["account"] == "1000000000000001"


def test_a_checkpoint_without_a_number_gets_it_and_a_run_without_one_leaves_it(
    db: sqlite3.Connection,
) -> None:
    schema.prepare(db, "c", IDENTITY)
    schema.prepare(db, "c", replace(IDENTITY, account="1", arn="a"))
    schema.prepare(db, "c", IDENTITY)
    assert (schema.job(db)["account"], schema.job(db)["arn"]) == ("1", "a")
