"""Verifications as rows: which flows are to check, what settles them, and that a confirmed deletion never changes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import CheckpointError
from flowreaper.job.check_result import check_result
from flowreaper.model import Flow, Reply, State
from flowreaper.safeguards.verify import Gone, Sighting, There, Unknown
from flowreaper.store.selection import Selection
from flowreaper.store.sqlite import schema, verifications
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.reader import has_space, read_overview, read_selected
from flowreaper.store.sqlite.states import NUMBER, STATES
from flowreaper.store.sqlite.verifications import Verifications
from flowreaper.store.verification import (
    Checked,
    CheckResult,
    Remaining,
    Suspect,
    Verification,
    VerificationMethod,
)
from tests.samples import AT_MS, IDENTITY, entries, outcome

GONE = Gone(Reply(404, "Flow.NotExist", "no such flow", "R-9"))
UNKNOWN = Unknown(Reply(400, "Odd.Code", "odd", "R-8"))
SIGHTINGS = st.sampled_from([GONE, There("DRAFT"), UNKNOWN])
VERIFICATION = Verification(at_ms=AT_MS, method=VerificationMethod.LOOK, complete=True, known=3, wanted=3)

Row = tuple[State, bool, bool]  # state, inferred, in doubt
ROWS = st.tuples(st.sampled_from(STATES), st.booleans(), st.booleans())


@contextlib.contextmanager
def job(rows: list[Row]) -> Iterator[tuple[sqlite3.Connection, Verifications]]:
    """A checkpoint with a flow for each row; the id of flow number n is n."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.prepare(db, "c", IDENTITY)
        for number, (state, inferred, in_doubt) in enumerate(rows, start=1):
            code, at_ms = (f"Code.{number}", AT_MS) if state.final else (None, None)
            db.execute(
                "INSERT INTO flow (flow_id, cust_space_id, state, inferred, in_doubt, attempts, source, line, code,"
                " finished_at_ms) VALUES (?, '', ?, ?, ?, 4, 1, ?, ?, ?)",
                (str(number), NUMBER[state], inferred, in_doubt, number, code, at_ms),
            )
        yield db, Verifications(db, Database(Path("c"), db))


def state_of(db: sqlite3.Connection, row: int) -> Row:
    number, inferred, in_doubt = db.execute(
        "SELECT state, inferred, in_doubt FROM flow WHERE id = ?", (row,)
    ).fetchone()
    return STATES[number], bool(inferred), bool(in_doubt)


def whole(db: sqlite3.Connection, row: int) -> tuple[object, ...]:
    found: tuple[object, ...] = db.execute("SELECT * FROM flow WHERE id = ?", (row,)).fetchone()
    return found


def is_in_doubt(row: Row) -> bool:
    state, _, in_doubt = row
    return state is State.CLAIMED or (in_doubt and state in (State.PENDING, State.REFUSED, State.GAVE_UP))


@given(st.lists(ROWS, max_size=12), st.integers(1, 5))
def test_to_check_are_the_deleted_the_absent_the_kept_and_those_in_doubt_each_once(
    rows: list[Row], piece: int
) -> None:
    with job(rows) as (_, kept):
        found: list[Suspect] = []
        while more := kept.suspects(found[-1].row if found else 0, piece):
            found += more
        doubts = kept.suspects(0, 100, in_doubt_only=True)
        recorded_gone = kept.rows_recorded_gone()
        counts = kept.count(), kept.count(in_doubt_only=True)
        assert kept.count_recorded_gone() == len(recorded_gone)
    final = (State.DELETED, State.ABSENT, State.KEPT)
    wanted = [n for n, row in enumerate(rows, start=1) if row[0] in final or is_in_doubt(row)]
    assert [suspect.row for suspect in found] == wanted
    assert [suspect.row for suspect in doubts] == [n for n in wanted if is_in_doubt(rows[n - 1])]
    assert recorded_gone == [n for n in wanted if rows[n - 1][0] in (State.DELETED, State.ABSENT)]
    assert counts == (len(wanted), len(doubts))
    assert all((s.flow.flow_id, s.state, s.inferred) == (str(s.row), *rows[s.row - 1][:2]) for s in found)


@given(st.lists(st.tuples(ROWS, SIGHTINGS), max_size=12))
def test_whatever_is_seen_no_confirmed_deletion_changes_and_what_changes_is_settled(
    cases: list[tuple[Row, Sighting]],
) -> None:
    rows = [row for row, _ in cases]
    with job(rows) as (db, kept):
        before = {n: whole(db, n) for n in range(1, len(rows) + 1)}
        suspects = kept.suspects(0, 100)
        checked = [Checked(s, check_result(s, cases[s.row - 1][1]), GONE.reply) for s in suspects]
        kept.settle(checked, AT_MS + 5)
        remaining = verifications.remaining(db)
        for each in checked:
            row, now = each.suspect.row, state_of(db, each.suspect.row)
            match each.check:
                case CheckResult.SETTLED_DELETED:
                    assert now == (State.DELETED, True, True)
                case CheckResult.SETTLED_PENDING | CheckResult.REOPENED:
                    assert now == (State.PENDING, False, False)
                    assert whole(db, row)[9:14] == (None,) * 5
                case CheckResult.SETTLED_REFUSED:
                    assert now == (State.REFUSED, rows[row - 1][1], False)
                case _:
                    assert whole(db, row) == before[row]
            if rows[row - 1][:2] == (State.DELETED, False) or rows[row - 1][0] in (State.ABSENT, State.KEPT):
                assert whole(db, row) == before[row]
        untouched = set(before) - {s.row for s in suspects}
        assert {n: whole(db, n) for n in untouched} == {n: before[n] for n in untouched}
    assert remaining.sample == tuple(c.suspect.flow for c in checked if c.check is CheckResult.REMAINS)
    assert remaining.flows == len(remaining.sample)


def test_a_flow_in_doubt_that_is_gone_gets_the_reply_that_says_so() -> None:
    with job([(State.CLAIMED, False, False)]) as (db, kept):
        (suspect,) = kept.suspects(0, 9)
        kept.settle([Checked(suspect, CheckResult.SETTLED_DELETED, GONE.reply)], AT_MS + 5)
        assert db.execute(
            "SELECT http_status, code, message, request_id, finished_at_ms, attempts FROM flow"
        ).fetchone() == (404, "Flow.NotExist", "no such flow", "R-9", AT_MS + 5, 4)


def test_no_flow_is_settled_twice() -> None:
    with job([(State.DELETED, True, False)]) as (db, kept):
        (suspect,) = kept.suspects(0, 9)
        kept.settle([Checked(suspect, CheckResult.REOPENED)], AT_MS)
        with pytest.raises(CheckpointError, match="is not in the checkpoint as it was"):
            kept.settle([Checked(suspect, CheckResult.REOPENED)], AT_MS)
        assert state_of(db, 1)[0] is State.PENDING


def test_a_piece_is_settled_whole_or_not_at_all() -> None:
    with job([(State.CLAIMED, False, False), (State.DELETED, False, False)]) as (db, kept):
        doubtful, deleted = kept.suspects(0, 9)
        with pytest.raises(CheckpointError):
            kept.settle(
                [
                    Checked(deleted, CheckResult.REMAINS),
                    Checked(doubtful, CheckResult.SETTLED_PENDING),
                    Checked(deleted, CheckResult.REOPENED),
                ],
                AT_MS,
            )
        assert state_of(db, 1)[0] is State.CLAIMED
        assert verifications.remaining(db).flows == 0


def test_the_latest_look_at_a_flow_says_whether_it_remains() -> None:
    with job([(State.DELETED, False, False)] * 3) as (db, kept):
        one, two, three = kept.suspects(0, 9)
        kept.settle([Checked(each, CheckResult.REMAINS) for each in (one, two, three)], AT_MS)
        kept.settle([Checked(one, CheckResult.GONE), Checked(two, CheckResult.UNKNOWN)], AT_MS)
        assert verifications.remaining(db).sample == (Flow("2"), Flow("3"))


def test_a_flow_that_was_called_again_no_longer_remains() -> None:
    with job([(State.ABSENT, False, False)]) as (db, kept):
        kept.settle([Checked(suspect, CheckResult.REMAINS) for suspect in kept.suspects(0, 9)], AT_MS)
        db.execute("UPDATE flow SET state = ?, finished_at_ms = finished_at_ms - 1", (NUMBER[State.DELETED],))
        assert verifications.remaining(db).flows == 0


@given(
    st.lists(
        st.builds(
            Verification,
            at_ms=st.integers(0, 2 * 10**12),
            method=st.sampled_from(VerificationMethod),
            complete=st.booleans(),
            known=st.integers(0, 2**40),
            wanted=st.integers(0, 2**40),
            counts=st.dictionaries(st.sampled_from(CheckResult), st.integers(1, 2**40)),
        ),
        max_size=3,
    )
)
def test_what_is_kept_of_verifications_is_read_again_in_their_order(made: list[Verification]) -> None:
    with job([]) as (db, kept):
        for verification in made:
            kept.add(verification)
        assert list(verifications.verifications(db)) == made


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE verification SET at_ms = -1",
        "UPDATE verification SET method = 'guess'",
        "UPDATE verification SET gone = 'x'",
        "UPDATE verification SET complete = 1.5",
    ],
)
def test_a_forged_row_is_an_error_and_no_verification(forgery: str) -> None:
    with job([]) as (db, kept):
        kept.add(VERIFICATION)
        db.execute(forgery)
        with pytest.raises(
            ValueError, match=r"stands where|time of no run|is not a valid VerificationMethod"
        ):
            verifications.verifications(db)


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_checkpoint_has_none(version: int) -> None:
    with job([]) as (db, _):
        db.execute("DROP TABLE verification")
        db.execute("DROP TABLE remaining")
        db.execute(f"PRAGMA user_version = {version}")
        assert verifications.verifications(db) == ()
        assert verifications.remaining(db).flows == 0


@given(counts=st.dictionaries(st.sampled_from(CheckResult), st.integers(1, 9)), complete=st.booleans())
def test_a_verification_proves_only_what_it_saw_to_the_end(
    *, counts: dict[CheckResult, int], complete: bool
) -> None:
    made = replace(VERIFICATION, counts=counts, complete=complete)
    fine = {CheckResult.GONE, CheckResult.SETTLED_DELETED, CheckResult.KEPT, CheckResult.KEPT_GONE}
    assert made.proves == (complete and set(counts) <= fine)
    assert made.checked == sum(
        counts.get(c, 0)
        for c in (CheckResult.GONE, CheckResult.REMAINS, CheckResult.REOPENED, CheckResult.UNKNOWN)
    )
    assert made.remain <= made.checked


def test_the_records_of_what_remains_can_be_selected_also_of_an_older_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "job.ckpt"
    checkpoint = open_checkpoint(path, IDENTITY)
    checkpoint.add(entries("1", "2", "3"))
    checkpoint.write([outcome(claim) for claim in checkpoint.write([], new=2)])
    first, _ = checkpoint.verifications.suspects(0, 9)
    checkpoint.verifications.settle([Checked(first, CheckResult.REMAINS)], AT_MS)
    checkpoint.close()
    remaining = Selection(remaining=True)
    assert [record.flow_id for record in read_selected(path, remaining)] == ["1"]
    assert not has_space(path, remaining)
    assert not remaining.takes_invalid
    assert read_overview(path).remaining == Remaining(flows=1, sample=(Flow("1"),))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE remaining")
        db.execute("DROP TABLE verification")
        db.execute("PRAGMA user_version = 2")
    assert list(read_selected(path, remaining)) == []
    assert not has_space(path, remaining)
    assert read_overview(path).remaining == Remaining()
