"""The checkpoint file: what is kept, in which order flows are claimed, and what is left alone."""

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import CheckpointError, CheckpointRefusedError, FlowreaperError
from flowreaper.model import FINAL, Added, Claim, Entry, Flow, Reopen, Reply, Requeue, Retry, State, Unsent
from flowreaper.store.sqlite import columns, run_mark, schema
from flowreaper.store.sqlite.checkpoint import Checkpoint, connect, open_checkpoint
from flowreaper.store.store import Identity
from tests.samples import AT_MS, IDENTITY, REFUSAL, claim, entries, invalid, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


@pytest.fixture
def checkpoint(path: Path) -> Iterator[Checkpoint]:
    with opened(path) as made:
        yield made


@contextlib.contextmanager
def opened(path: Path, identity: Identity = IDENTITY) -> Iterator[Checkpoint]:
    with contextlib.closing(open_checkpoint(path, identity)) as made:
        yield made


def kept(path: Path) -> dict[str, list[Any]]:
    """Everything that another connection sees."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        return {
            table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608 -- names from below
            for table in ("job", "source", "flow", "invalid")
        }


def rows(claims: list[Claim]) -> list[int]:
    return [claimed.row for claimed in claims]


def files(folder: Path) -> dict[str, bytes | None]:
    return {f.name: None if f.is_dir() else f.read_bytes() for f in folder.iterdir()}


# --- reading


def test_what_is_added_is_counted_as_new_repeated_or_invalid(checkpoint: Checkpoint) -> None:
    batch = [*entries("1", "2", "1"), invalid("x y"), invalid("x y")]
    assert checkpoint.add(batch) == Added(2, 2, (invalid("x y"),))
    assert checkpoint.counts() == {State.PENDING: 2, State.INVALID: 1}


def test_what_an_earlier_run_added_is_repeated(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add([*entries("1", "2"), invalid("x y")])
    with opened(path) as later:
        assert later.add([*entries("2", "3"), invalid("x y")]) == Added(1, 2, ())


def test_the_same_id_in_another_space_is_another_flow(checkpoint: Checkpoint) -> None:
    assert checkpoint.add([*entries("1"), *entries("1", space="cams-a")]).new == 2


def test_an_invalid_line_is_never_a_flow_even_if_its_text_reads_like_one(checkpoint: Checkpoint) -> None:
    assert checkpoint.add([invalid("1"), *entries("1")]) == Added(1, 0, (invalid("1"),))
    assert len(checkpoint.write([], new=5)) == 1


# --- claiming


def test_pending_flows_are_claimed_once_each_in_the_order_of_reading(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("30", "1", "200"))
    assert [c.flow.flow_id for c in checkpoint.write([], new=2)] == ["30", "1"]
    assert [c.flow.flow_id for c in checkpoint.write([], new=2)] == ["200"]
    checkpoint.add(entries("4", "1"))
    assert [c.flow.flow_id for c in checkpoint.write([], new=2)] == ["4"]
    assert checkpoint.counts() == {State.CLAIMED: 4}


def test_flows_that_are_looked_at_come_once_and_stay_as_they_are(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", "2", "3"))
    seen = checkpoint.look(2)
    assert rows(seen) == [1, 2]
    assert checkpoint.counts() == {State.PENDING: 3}
    assert rows(checkpoint.look(5)) == [3]
    assert checkpoint.write([], rows=[2]) == [seen[1]]
    assert checkpoint.counts() == {State.PENDING: 2, State.CLAIMED: 1}


def test_a_flow_that_was_only_looked_at_gets_its_outcome_but_no_flow_gets_a_second_one(
    checkpoint: Checkpoint,
) -> None:
    checkpoint.add(entries("1"))
    (seen,) = checkpoint.look(1)
    kept = Unsent(outcome(seen, State.KEPT))
    checkpoint.write([kept])
    assert checkpoint.counts() == {State.KEPT: 1}
    with pytest.raises(CheckpointError, match="not claimed in the file"):
        checkpoint.write([kept])


def test_rows_that_are_named_come_before_new_ones(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", "2", "3"))
    first, second = checkpoint.write([], new=2)
    claims = checkpoint.write([Requeue(2, 0, in_doubt=False)], new=1, rows=[second.row, first.row])
    assert rows(claims) == [2, 1, 3]


def test_a_claim_says_where_the_flow_comes_from_and_what_is_known_of_it(checkpoint: Checkpoint) -> None:
    checkpoint.add([*entries("1", source="a"), *entries("0", "2", source="b", space="cams-x")])
    claimed = checkpoint.write([], new=3)[2]
    assert (claimed.flow, claimed.source, claimed.line) == (("2", "cams-x"), "b", 2)
    assert (claimed.attempts, claimed.in_doubt) == (0, False)
    (again,) = checkpoint.write([Requeue(claimed.row, 3, in_doubt=True)], rows=[claimed.row])
    assert again == claimed._replace(attempts=3, in_doubt=True)


def test_a_flow_that_was_put_back_is_pending_for_the_next_run(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2"))
        earlier.write([], new=2)
        earlier.write([Requeue(1, 4, in_doubt=True)])
        assert earlier.write([], new=5) == []
    with opened(path) as later:
        (claimed,) = later.write([], new=5)
        assert (claimed.row, claimed.attempts, claimed.in_doubt) == (1, 4, True)


def test_what_an_earlier_run_left_claimed_is_in_doubt_and_named_in_order(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        claims = earlier.write([], new=3)
        earlier.write([outcome(claims[1])])
    with opened(path) as later:
        assert later.mark_claimed_in_doubt() == [1, 3]
        claims = later.write([], new=9, rows=[1, 3])
        assert [(c.row, c.in_doubt) for c in claims] == [(1, True), (3, True), (4, False)]


def test_what_an_earlier_run_left_claimed_is_never_claimed_as_a_pending_flow_too(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        earlier.write([], new=2)
    with opened(path) as later:
        later.write([], rows=later.mark_claimed_in_doubt())
        later.write([Requeue(1, 0, in_doubt=True), Requeue(2, 0, in_doubt=True)])
        assert rows(later.write([], new=2)) == [3, 4]
        assert rows(later.write([], new=2, rows=[1])) == [1]


# --- recording


def test_an_outcome_is_kept_word_for_word(path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", space="cams-a"))
    (claimed,) = checkpoint.write([], new=1)
    checkpoint.write([outcome(claimed, State.GAVE_UP, REFUSAL, inferred=True, in_doubt=True, attempts=8)])
    # id, flow_id, cust_space_id, state, in_doubt, inferred, attempts, source, line, and the reply
    expected = (1, "1", "cams-a", 5, 1, 1, 8, 1, 1, 400, "Some.Code", "no", "RID-2", AT_MS)
    assert kept(path)["flow"] == [expected]


def test_what_the_reply_did_not_say_is_null(path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1"))
    checkpoint.write([outcome(checkpoint.write([], new=1)[0], State.GAVE_UP, Reply(0))])
    assert kept(path)["flow"][0][9:] == (None, None, None, None, AT_MS)


@pytest.mark.parametrize("state", [s for s in FINAL if s is not State.INVALID])
def test_a_flow_in_a_final_state_is_never_claimed_again(path: Path, state: State) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1"))
        earlier.write([outcome(earlier.write([], new=1)[0], state)])
        assert earlier.write([], new=1) == []
    with opened(path) as later:
        later.add(entries("1"))
        assert later.mark_claimed_in_doubt() == []
        assert later.write([], new=1) == []
        with pytest.raises(CheckpointError, match="row 1 is not to be called again"):
            later.write([], rows=[1])
        assert later.counts() == {state: 1}


def test_a_row_that_does_not_exist_cannot_be_claimed(checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match="row 1 is not"):
        checkpoint.write([], rows=[1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda pending, _done: [outcome(pending)],
        lambda pending, _done: [Requeue(pending.row, 0, in_doubt=False)],
        lambda _pending, done: [outcome(done)],
        lambda _pending, done: [Requeue(done.row, 0, in_doubt=False)],
    ],
    ids=["pending recorded", "pending put back", "final recorded", "final put back"],
)
def test_a_change_of_what_is_not_claimed_is_an_error_and_nothing_of_the_call_is_kept(
    path: Path, checkpoint: Checkpoint, wrong: Callable[[Claim, Claim], Any]
) -> None:
    checkpoint.add(entries("1", "2", "3"))
    pending, done, claimed = checkpoint.write([], new=3)
    checkpoint.write([Requeue(pending.row, 0, in_doubt=False), outcome(done)])
    before = kept(path)
    with pytest.raises(CheckpointError, match="1 claimed flows are not claimed in the file"):
        checkpoint.write([outcome(claimed), *wrong(pending, done)])
    assert kept(path) == before
    checkpoint.write([outcome(claimed)])


def test_two_outcomes_of_one_flow_are_an_error(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1"))
    (claimed,) = checkpoint.write([], new=1)
    with pytest.raises(CheckpointError):
        checkpoint.write([outcome(claimed), outcome(claimed)])
    assert checkpoint.counts() == {State.CLAIMED: 1}


def test_reopened_flows_are_pending_anew_but_their_doubts_stay(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3"))
        one, two, three = earlier.write([], new=3)
        earlier.write(
            [
                outcome(one, State.GAVE_UP, REFUSAL, in_doubt=True, attempts=8),
                outcome(two, State.REFUSED, REFUSAL),
                outcome(three),
            ]
        )
    with opened(path) as later:
        untouched = kept(path)["flow"][2]
        assert later.reopen(Retry((State.GAVE_UP, State.REFUSED))) == 2
        assert kept(path)["flow"][0] == (1, "1", "", 0, 1, 0, 0, 1, 1, None, None, None, None, None)
        assert kept(path)["flow"][2] == untouched
        assert [(c.row, c.attempts, c.in_doubt) for c in later.write([], new=9)] == [
            (1, 0, True),
            (2, 0, False),
        ]


@given(st.lists(st.tuples(st.sampled_from(["add", "claim", "end", "again", "crash"]), st.integers(0, 5))))
def test_a_flow_has_one_claim_at_a_time_and_is_never_claimed_after_its_end(steps: list[Any]) -> None:
    db = connect("file:?mode=rwc")
    schema.create(db)
    checkpoint = Checkpoint(Path("model"), db)
    read = 0
    under_way: dict[int, Claim] = {}
    waiting: list[int] = []
    claimed_rows: set[int] = set()
    ended: set[int] = set()
    for step, n in steps:
        match step:
            case "add":
                read += checkpoint.add(entries(*(str(read + i) for i in range(n)))).new
            case "claim":
                again, waiting = waiting[:n], waiting[n:]
                claims = checkpoint.write([], new=n, rows=again)
                assert rows(claims)[: len(again)] == again
                assert not {c.row for c in claims} & (ended | set(under_way) | set(waiting))
                under_way |= {c.row: c for c in claims}
                claimed_rows |= set(under_way)
            case "end" if under_way:
                row, claimed = under_way.popitem()
                checkpoint.write([outcome(claimed)])
                ended.add(row)
                claimed_rows.remove(row)
            case "again" if under_way:
                row, claimed = under_way.popitem()
                checkpoint.write([Requeue(row, 1, in_doubt=False)])
                waiting.append(row)
                claimed_rows.remove(row)
            case "crash":
                checkpoint = Checkpoint(checkpoint.path, checkpoint._db)
                waiting = checkpoint.mark_claimed_in_doubt()
                assert waiting == sorted(claimed_rows)
                under_way = {}
    counts = checkpoint.counts()
    assert sum(counts.values()) == read
    assert counts.get(State.DELETED, 0) == len(ended)
    checkpoint.close()


# --- notes


def test_what_is_noted_of_the_job_is_known_to_the_next_run_and_may_change(path: Path) -> None:
    with opened(path) as earlier:
        assert earlier.noted("pace") == ""
        earlier.note("pace", "0.2")
        earlier.note("pace", "0.3")
        earlier.note("other", "x")
    with opened(path) as later:
        assert (later.noted("pace"), later.noted("other")) == ("0.3", "x")


# --- what the input lists


def flow_ids(claims: list[Claim]) -> list[str]:
    return [claimed.flow.flow_id for claimed in claims]


def test_of_what_earlier_runs_read_only_listed_flows_are_claimed(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        earlier.write([outcome(earlier.write([], new=1)[0])])
    with opened(path) as later:
        later.take_listed()
        assert later.write([], new=9) == []
        assert later.add(entries("4", "5", "1", "2", "4")) == Added(1, 4, (), resumed=2)
        assert flow_ids(later.write([], new=9)) == ["2", "4", "5"]
        assert later.write([], new=9) == []
        assert later.unlisted() == 1
        assert later.counts() == {State.DELETED: 1, State.PENDING: 1, State.CLAIMED: 3}


def test_the_spaces_of_a_run_are_those_of_the_unfinished_flows_that_it_takes(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(
            [Entry(Flow(name, space), "ids", 1) for name, space in (("1", "done"), ("2", "a"), ("3", ""))]
        )
        earlier.write([outcome(earlier.write([], new=1)[0])])
        assert sorted(earlier.spaces()) == ["", "a"]
    with opened(path) as later:
        later.take_listed()
        assert later.spaces() == []
        later.add(
            [Entry(Flow(name, space), "ids", 1) for name, space in (("1", "done"), ("2", "a"), ("4", "new"))]
        )
        assert sorted(later.spaces()) == ["a", "new"]


def test_finished_flows_that_are_taken_again_are_counted_by_the_state_they_were_in(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        ends = (State.REFUSED, State.GAVE_UP, State.DELETED)
        claims = earlier.write([], new=3)
        earlier.write([outcome(claim, state) for claim, state in zip(claims, ends, strict=True)])
    with opened(path) as later:
        later.take_listed(Retry((State.REFUSED, State.GAVE_UP)))
        added = later.add(entries("1", "2", "3", "4", "1"))
        assert (added.resumed, added.reopened) == (3, {State.REFUSED: 1, State.GAVE_UP: 1})
        assert later.add(entries("1", "2")).reopened == {}


def test_what_a_crash_left_claimed_is_claimed_again_where_it_is_listed_and_first(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        earlier.write([], new=1)
        earlier.write([], new=2)
        earlier.write([Requeue(1, 0, in_doubt=False)])
    with opened(path) as later:
        later.mark_claimed_in_doubt()
        later.take_listed()
        later.add(entries("1", "3", "4"))
        claims = later.write([], new=9)
        assert [(c.flow.flow_id, c.in_doubt) for c in claims] == [("3", True), ("1", False), ("4", False)]
        later.write([Requeue(claims[0].row, 1, in_doubt=True)])
        assert later.write([], new=9) == []
        assert flow_ids(later.write([], rows=[claims[0].row])) == ["3"]
        assert later.unlisted() == 1


def test_only_listed_flows_are_taken_again_each_once(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3"))
        earlier.write([outcome(c, State.REFUSED, REFUSAL) for c in earlier.write([], new=3)])
    with opened(path) as later:
        later.take_listed(Retry((State.REFUSED,)))
        assert later.add(entries("2")).resumed == 1
        (again,) = later.write([], new=9)
        later.write([outcome(again, State.REFUSED, REFUSAL)])
        assert later.add(entries("2")).resumed == 0
        assert later.counts() == {State.REFUSED: 3}


def test_a_code_narrows_what_is_taken_again(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2"))
        one, two = earlier.write([], new=2)
        earlier.write(
            [
                outcome(one, State.REFUSED, REFUSAL._replace(code="A")),
                outcome(two, State.REFUSED, REFUSAL._replace(code="B")),
            ]
        )
    with opened(path) as later:
        assert later.reopen(Retry((State.GAVE_UP,), ("B",))) == 0
        assert later.reopen(Retry((State.REFUSED, State.GAVE_UP), ("B",))) == 1
        assert flow_ids(later.write([], new=9)) == ["2"]


def test_flows_that_are_known_to_be_listed_are_claimed_before_the_input_is_read(path: Path) -> None:
    with opened(path) as earlier:
        earlier.add(entries("1", "2", "3", "4"))
        earlier.write([], new=1)
        earlier.write([], new=2)
        earlier.write([Requeue(1, 0, in_doubt=False), outcome(claim(2, "2"))])
    with opened(path) as later:
        later.mark_claimed_in_doubt()
        assert later.list_known([Flow("1")]) == 0  # without an input, every flow is taken
        later.take_listed()
        assert later.unfinished(2) == [Flow("3"), Flow("1")]
        assert later.list_known([Flow("4"), Flow("3"), Flow("2"), Flow("9")]) == 2
        assert flow_ids(later.write([], new=9)) == ["3", "4"]
        assert later.add(entries("1", "3")).resumed == 1
        assert flow_ids(later.write([], new=9)) == ["1"]


_FLOWS = st.lists(st.sampled_from("12345678"), max_size=6).map(tuple)


@given(
    st.lists(
        st.tuples(
            _FLOWS,  # what the input lists
            st.integers(0, 9),  # how many flows are claimed before it is read
            st.sampled_from([(), (State.REFUSED,), (State.REFUSED, State.ABSENT)]),
            st.sampled_from([State.DELETED, State.REFUSED, State.ABSENT, None]),
        ),
        max_size=6,
    )
)
def test_no_run_ever_claims_a_flow_that_its_input_does_not_list(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "job.ckpt"
        for flows, count, retry, end in steps:
            with opened(path) as run:
                before = dict(_states(path))
                run.mark_claimed_in_doubt()
                run.take_listed(Retry(retry))
                run.list_known([flow for flow in run.unfinished(3) if flow.flow_id in flows])
                claims = run.write([], new=count)
                run.add(entries(*flows))
                claims += run.write([], new=99)
                claimed = flow_ids(claims)
                assert len(claimed) == len(set(claimed))
                allowed = {None, State.PENDING, State.CLAIMED, *retry}
                assert set(claimed) == {flow for flow in flows if before.get(flow) in allowed}
                unfinished = [flow for flow, state in before.items() if not state.final]
                assert run.unlisted() == len(set(unfinished) - set(flows))
                if end:
                    run.write([outcome(c, end) for c in claims])


def _states(path: Path) -> list[tuple[str, State]]:
    return [(row[1], columns.state(row[3])) for row in kept(path)["flow"]]


def test_outcomes_that_do_not_count_after_all_are_pending_again(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", "2", "3"))
    one, two, three = checkpoint.write([], new=3)
    checkpoint.write([outcome(one, State.ABSENT), outcome(two, State.ABSENT)])
    checkpoint.write([Reopen((1, 2)), outcome(three)])
    assert checkpoint.counts() == {State.PENDING: 2, State.DELETED: 1}


def test_whether_anything_was_deleted_or_answered_is_known(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", "2"))
    one, two = checkpoint.write([], new=2)
    assert (checkpoint.outcomes.any_answered(), checkpoint.outcomes.any_deleted()) == (False, False)
    checkpoint.write([outcome(one, State.DELETED, REFUSAL)])  # by inference: its code is not OK
    assert (checkpoint.outcomes.any_answered(), checkpoint.outcomes.any_deleted()) == (True, False)
    checkpoint.write([outcome(two)])
    assert checkpoint.outcomes.any_deleted()


def test_flows_that_ended_as_absent_one_after_another_are_known_to_the_next_run(
    checkpoint: Checkpoint,
) -> None:
    checkpoint.add(entries(*"123456"))
    one, two, three, four, five, six = checkpoint.write([], new=6)
    assert checkpoint.outcomes.latest_absent(9) == []
    for at, (ended, state) in enumerate(
        [(one, State.ABSENT), (two, State.REFUSED), (five, State.ABSENT), (four, State.ABSENT)]
    ):
        checkpoint.write([outcome(ended, state)._replace(finished_at_ms=AT_MS + at)])
    checkpoint.write([outcome(six, State.DELETED)._replace(inferred=True, finished_at_ms=AT_MS + 9)])
    assert checkpoint.outcomes.latest_absent(9) == [5, 4]
    assert checkpoint.outcomes.latest_absent(1) == [4]
    checkpoint.write([outcome(three, State.GAVE_UP)._replace(finished_at_ms=AT_MS + 10)])
    assert checkpoint.outcomes.latest_absent(9) == []


def test_a_cleared_checkpoint_belongs_to_the_same_and_holds_nothing(
    path: Path, checkpoint: Checkpoint
) -> None:
    checkpoint.add([*entries("1"), invalid("x y")])
    checkpoint.note("pace", "1")
    checkpoint.clear()
    assert checkpoint.counts() == {}
    held = sorted(name for name, _ in kept(path)["job"])
    assert held == sorted(["access_key", "endpoint", "sandbox", run_mark.NAME, run_mark.RUN])


# --- durability


def test_every_call_is_seen_by_others_when_it_returns(path: Path, checkpoint: Checkpoint) -> None:
    def states() -> list[tuple[int, int]]:
        return [(row[3], row[4]) for row in kept(path)["flow"]]

    checkpoint.add(entries("1"))
    assert states() == [(0, 0)]
    (claimed,) = checkpoint.write([], new=1)
    assert states() == [(1, 0)]
    checkpoint.mark_claimed_in_doubt()
    assert states() == [(1, 1)]
    checkpoint.write([outcome(claimed, State.REFUSED)])
    assert states() == [(4, 0)]
    checkpoint.reopen(Retry((State.REFUSED,)))
    assert states() == [(0, 0)]


def test_what_a_killed_run_leaves_holds_all_that_it_was_told_is_kept(path: Path, tmp_path: Path) -> None:
    with opened(path) as running:
        running.add(entries("1", "2"))
        running.write([outcome(running.write([], new=2)[0])])
        left = tmp_path / "left.ckpt"
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{left}{end}")
    with opened(left) as after:
        assert after.counts() == {State.DELETED: 1, State.CLAIMED: 1}


def test_commits_are_synced(checkpoint: Checkpoint) -> None:
    assert checkpoint._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert checkpoint._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_all_files_are_private_whatever_the_umask(path: Path) -> None:
    old = os.umask(0)
    try:
        with opened(path) as made:
            made.add(entries("1"))
            modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()}
    finally:
        os.umask(old)
    assert modes == {path.name + end: 0o600 for end in ("", "-wal", "-shm")}


def test_a_closed_checkpoint_is_one_plain_file(path: Path) -> None:
    with opened(path) as made:
        made.add(entries("1"))
    assert [f.name for f in path.parent.iterdir()] == [path.name]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # not in WAL mode: SQLite's file format, bytes 18 and 19


def test_closing_while_somebody_reads_loses_nothing(path: Path) -> None:
    made = open_checkpoint(path, IDENTITY)
    with contextlib.closing(sqlite3.connect(path)) as reader:
        made.add(entries("1", "2"))
        cursor = reader.execute("SELECT * FROM flow")
        cursor.fetchone()
        made.close()
        assert len(cursor.fetchall()) == 1
    with opened(path) as again:
        assert again.counts() == {State.PENDING: 2}


# --- faults


class FaultyConnection(sqlite3.Connection):
    """Raises instead of running the statement that brings `left` to 0."""

    left = 0
    message = "disk I/O error"

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._count()
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        self._count()
        return super().executemany(sql, parameters)

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            error = sqlite3.OperationalError(self.message)
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error


def faulty(at: int = 0, message: str = "disk I/O error") -> Callable[[str], FaultyConnection]:
    def connect(uri: str) -> FaultyConnection:
        db = sqlite3.connect(uri, uri=True, isolation_level=None, factory=FaultyConnection)
        db.left, db.message = at, message
        return db

    return connect


def error_of(call: Callable[[], object]) -> CheckpointError | None:
    try:
        call()
    except CheckpointError as error:
        return error
    return None


def settle_and_claim(checkpoint: Checkpoint) -> object:
    return checkpoint.write(
        [
            outcome(claim(row=1)),
            Requeue(2, 3, in_doubt=True),
        ],
        new=2,
        rows=[3],
    )


@pytest.mark.parametrize("message", ["disk I/O error", "database or disk is full"])
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.add([*entries("1", "8", "9", source="another"), invalid("x y")]),
        settle_and_claim,
        lambda c: c.mark_claimed_in_doubt(),
        lambda c: c.reopen(Retry((State.REFUSED,))),
        lambda c: c.note("pace", "0.2"),
    ],
    ids=["add", "write", "mark_claimed_in_doubt", "reopen", "note"],
)
def test_whichever_statement_fails_nothing_of_the_call_is_kept_and_the_next_one_works(
    tmp_path: Path, call: Callable[[Checkpoint], object], message: str
) -> None:
    def prepared(name: str) -> Checkpoint:
        made = open_checkpoint(tmp_path / name, IDENTITY, connect=faulty(message=message))
        made.add(entries("1", "2", "3", "4", "5", "6"))
        claims = made.write([], new=4)
        made.write([outcome(claims[3], State.REFUSED, REFUSAL)])
        return made

    with contextlib.closing(prepared("whole")) as whole:
        expected = call(whole)
        result = kept(whole.path)
    failed = 0
    while True:
        with contextlib.closing(prepared(f"fails at {failed}")) as checkpoint:
            before = kept(checkpoint.path)
            db = checkpoint._db
            assert isinstance(db, FaultyConnection)
            db.left = failed + 1
            error = error_of(lambda: call(checkpoint))
            db.left = 0
            if error is None:
                break
            failed += 1
            assert str(checkpoint.path) in str(error)
            assert message in str(error)
            assert kept(checkpoint.path) == before
            assert call(checkpoint) == expected
            assert _timeless(kept(checkpoint.path)) == _timeless(result)
    assert failed >= 3  # BEGIN, at least one statement, COMMIT


def _timeless(tables: dict[str, list[Any]]) -> dict[str, list[Any]]:
    job = [row for row in tables["job"] if row[0] not in (run_mark.NAME, run_mark.RUN)]
    return tables | {"invalid": [row[:-1] for row in tables["invalid"]], "job": job}


def test_a_full_disk_keeps_nothing_of_the_call_and_the_next_one_works(
    path: Path, checkpoint: Checkpoint
) -> None:
    checkpoint.add(entries("1"))
    (pages,) = checkpoint._db.execute("PRAGMA page_count").fetchone()
    checkpoint._db.execute(f"PRAGMA max_page_count = {pages}")
    before = kept(path)
    with pytest.raises(CheckpointError, match="full"):
        checkpoint.add(entries(*(f"{n:0200}" for n in range(1000)), source="long"))
    assert kept(path) == before
    assert checkpoint.add(entries("1", "2", source="long")).new == 1
    assert [c.source for c in checkpoint.write([], new=2)] == ["ids.txt", "long"]


def test_whichever_statement_of_opening_fails_the_file_is_usable_afterwards(path: Path) -> None:
    failed = 0
    while True:
        connect = faulty(failed + 1)
        error = error_of(lambda: open_checkpoint(path, IDENTITY, connect=connect).close())  # noqa: B023 -- called at once
        if error is None:
            break
        failed += 1
        assert "disk I/O error" in str(error)
        assert path.exists()
        with opened(path) as made:
            assert made.counts() == {}
        path.unlink()
    assert failed > len(schema._TABLES)


def test_an_empty_file_as_a_crash_leaves_it_becomes_a_checkpoint(path: Path) -> None:
    path.touch()
    with opened(path) as made:
        made.add(entries("1"))
    with opened(path) as again:
        assert again.counts() == {State.PENDING: 1}


def test_text_that_sqlite_cannot_hold_is_an_error_and_nothing_is_kept(checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1"))
    (claimed,) = checkpoint.write([], new=1)
    with pytest.raises(CheckpointError, match="surrogates"):
        checkpoint.write([outcome(claimed, reply=Reply(400, "X", "\ud800"))])
    with pytest.raises(CheckpointError, match="large"):
        checkpoint.write([outcome(claimed, attempts=2**63)])
    assert checkpoint.counts() == {State.CLAIMED: 1}


# --- files that are not this job's


def newer(path: Path) -> None:
    with opened(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 4")


def foreign_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE flow (id INTEGER, state INTEGER)")


def of(identity: Identity) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with opened(path, identity) as made:
            made.add(entries("1"))

    return make


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("346699123\n" * 1000), "is not a flowreaper checkpoint"),
        (lambda path: path.write_text("7"), "is not a flowreaper checkpoint"),
        (foreign_database, "is not a flowreaper checkpoint"),
        (newer, "of version 4, and this flowreaper knows versions up to 3: use"),
        (
            of(Identity("https://else.example", sandbox=False, access_key="k")),
            "was made for https://else.example, not for https://cams.example. Use the same endpoint",
        ),
        (of(Identity(IDENTITY.endpoint, sandbox=True, access_key="k")), "was made for the sandbox"),
    ],
    ids=["text", "one byte", "another database", "newer", "another endpoint", "sandbox"],
)
def test_what_is_not_this_jobs_is_refused_and_left_byte_for_byte_as_it_was(
    path: Path, make: Callable[[Path], None], words: str
) -> None:
    make(path)
    before = files(path.parent)
    with pytest.raises(CheckpointRefusedError, match=words):
        open_checkpoint(path, IDENTITY)
    assert files(path.parent) == before


def test_a_checkpoint_of_the_real_service_is_refused_to_the_sandbox(path: Path) -> None:
    of(IDENTITY)(path)
    with pytest.raises(CheckpointRefusedError, match="was made for the real service"):
        open_checkpoint(path, Identity(IDENTITY.endpoint, sandbox=True, access_key="k"))


def test_a_folder_is_no_checkpoint_and_stays_empty(path: Path) -> None:
    path.mkdir()
    with pytest.raises(CheckpointRefusedError, match="is no regular file"):
        open_checkpoint(path, IDENTITY)
    assert files(path) == {}


def test_a_checkpoint_in_a_folder_that_does_not_exist_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefusedError, match=r"cannot be made: there is no folder .*nowhere"):
        open_checkpoint(tmp_path / "nowhere" / "c.ckpt", IDENTITY)


@pytest.mark.parametrize(
    "make",
    [None, Path.touch, lambda path: path.write_text("mine\n"), of(IDENTITY)],
    ids=["nothing", "an empty file", "a text", "a checkpoint"],
)
def test_a_symbolic_link_is_not_followed(
    path: Path, tmp_path: Path, make: Callable[[Path], None] | None
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if make:
        make(folder / "target")
    before = files(folder)
    path.symlink_to(folder / "target")
    with pytest.raises(CheckpointRefusedError, match="is a symbolic link: name the file itself"):
        open_checkpoint(path, IDENTITY)
    assert files(folder) == before


@pytest.mark.parametrize(
    ("forge", "use"),
    [
        ("UPDATE flow SET flow_id = x'ff'", lambda c: c.write([], new=1)),
        ("UPDATE flow SET flow_id = '1' || char(10) || '2'", lambda c: c.write([], new=1)),
        ("UPDATE flow SET cust_space_id = x'05'", lambda c: c.write([], rows=[1])),
        ("UPDATE flow SET attempts = 'many'", lambda c: c.write([], new=1)),
        ("UPDATE flow SET line = x'00'", lambda c: c.write([], new=1)),
        ("UPDATE source SET name = x'00'", lambda c: c.write([], new=1)),
        ("UPDATE flow SET state = 99", lambda c: c.counts()),
        ("UPDATE flow SET state = -1", lambda c: c.counts()),
        ("DROP TABLE invalid", lambda c: c.counts()),
        ("DROP TABLE source", lambda c: c.add(entries("2"))),
        ("DROP TABLE flow", lambda c: c.mark_claimed_in_doubt()),
        ("UPDATE job SET value = x'00'", lambda c: c.noted("endpoint")),
        ("UPDATE job SET value = x'00'", lambda c: open_checkpoint(c.path, IDENTITY)),
    ],
)
def test_a_forged_checkpoint_is_a_clear_error(
    path: Path, forge: str, use: Callable[[Checkpoint], object]
) -> None:
    of(IDENTITY)(path)
    with opened(path) as made:
        made._db.executescript(
            "CREATE TABLE forged AS SELECT * FROM flow; DROP TABLE flow; ALTER TABLE forged RENAME TO flow"
        )
        made._db.execute(forge)
        with pytest.raises(FlowreaperError, match=r"ids\.txt\.ckpt"):
            use(made)
