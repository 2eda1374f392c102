"""What is read of a checkpoint, also of one that is being written, damaged or forged."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowreaper.errors import CheckpointError, CheckpointRefusedError, FlowreaperError, InputError
from flowreaper.model import Record, Reply, Requeue, Retry, State
from flowreaper.sink.formats import RecordFormat, writer_for
from flowreaper.store.records import record_of, record_of_invalid
from flowreaper.store.selection import Selection
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.reader import (
    has_space,
    is_begun,
    last_access_key,
    left_elsewhere,
    outcomes_after,
    read_notes,
    read_records,
    read_selected,
    read_status,
)
from flowreaper.store.store import Identity
from tests.samples import AT_MS, IDENTITY, REFUSAL, entries, invalid, outcome

_NOBODY = 65534

# Syncs cost nothing there, and these examples are many.
_IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 -- for a private folder in it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


@contextlib.contextmanager
def running(path: Path) -> Iterator[Checkpoint]:
    """A run that has made: 1 deleted, 2 deleted by inference, 3 refused, 4 given up, 5 claimed, 6 pending."""
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        checkpoint.add([*entries("1", "2", "3"), *entries("4", "5", "6", source="b.csv", space="cams-a")])
        checkpoint.add([invalid("x y")])
        claims = checkpoint.write([], new=5)
        checkpoint.write(
            [
                outcome(claims[0]),
                outcome(claims[1], reply=Reply(404, "Flow.NotExist"), inferred=True, in_doubt=True),
                outcome(claims[2], State.REFUSED, REFUSAL),
                outcome(claims[3], State.GAVE_UP, Reply(0), in_doubt=True, attempts=8),
            ]
        )
        yield checkpoint


def finished(path: Path) -> Path:
    with running(path):
        pass
    return path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that is only read."""
    return finished(tmp_path_factory.mktemp("sample") / "ids.txt.ckpt")


def states(path: Path, *wanted: State) -> dict[str, str]:
    return {record.flow_id: record.state.value for record in read_records(path, wanted)}


ALL = {
    "1": "deleted",
    "2": "deleted",
    "3": "refused",
    "4": "gave_up",
    "5": "claimed",
    "6": "pending",
    "x y": "invalid",
}


# --- a sound checkpoint


def test_records_come_in_the_order_of_reading_with_invalid_lines_last(path: Path) -> None:
    assert list(states(finished(path)).items()) == list(ALL.items())


def test_a_record_holds_what_was_recorded(path: Path) -> None:
    with running(path) as checkpoint:
        (claimed,) = checkpoint.write([Requeue(5, 1, in_doubt=True)], rows=[5])
        recorded = outcome(claimed, State.ABSENT, REFUSAL, in_doubt=True, attempts=2)
        checkpoint.write([recorded])
    records = list(read_records(path))
    assert records[4] == record_of(recorded)
    assert records[5] == records[4]._replace(
        flow_id="6",
        state=State.PENDING,
        in_doubt=False,
        attempts=0,
        http_status=None,
        code=None,
        message=None,
        request_id=None,
        line=3,
        finished_at=None,
    )
    assert records[6] == record_of_invalid(invalid("x y"), 0)._replace(finished_at=records[6].finished_at)


@pytest.mark.parametrize("wanted", [[s] for s in State] + [[State.INVALID, State.DELETED], []])
def test_only_the_wanted_states_are_read(path: Path, wanted: list[State]) -> None:
    expected = {k: v for k, v in ALL.items() if not wanted or v in wanted}
    assert states(finished(path), *wanted) == expected


text = st.sampled_from(["", "OK", "Some.Code", "Flow.NotExist", "cams-a", "no such"])
selections = st.builds(
    Selection,
    st.lists(st.sampled_from(State), max_size=3).map(tuple),
    st.lists(text, max_size=2).map(tuple),
    st.lists(text, max_size=2).map(tuple),
    st.none() | st.sampled_from([0, AT_MS, AT_MS + 1, 2**53]),
)


def is_wanted(record: Record, wanted: Selection) -> bool:
    ended = datetime.fromisoformat(record.finished_at).timestamp() * 1000 if record.finished_at else None
    is_flow = record.state is not State.INVALID
    return (
        (not wanted.states or record.state in wanted.states)
        and (not wanted.codes or (is_flow and (record.code or "") in wanted.codes))
        and (not wanted.spaces or (is_flow and (record.cust_space_id or "") in wanted.spaces))
        and (wanted.since_ms is None or (ended is not None and round(ended) >= wanted.since_ms))
    )


@given(selections)
@example(Selection(codes=("",)))
@example(Selection(spaces=("",)))
@example(Selection(since_ms=AT_MS + 1))
@example(Selection(since_ms=2**53))
def test_a_selection_takes_what_satisfies_every_part_of_it(sample: Path, wanted: Selection) -> None:
    expected = [record for record in read_records(sample) if is_wanted(record, wanted)]
    assert list(read_selected(sample, wanted)) == expected
    spaces = [record.cust_space_id for record in expected if record.state is not State.INVALID]
    assert has_space(sample, wanted) is any(spaces)


def test_a_program_selects_by_words_and_by_a_time(path: Path) -> None:
    at = datetime.fromtimestamp(AT_MS / 1000, UTC)
    assert [r.flow_id for r in read_records(finished(path), codes=["", "OK"], since=at)] == ["1", "4"]
    assert [r.flow_id for r in read_records(path, [State.PENDING], spaces=["cams-a"])] == ["6"]
    later = at + timedelta(microseconds=1)
    assert [r.flow_id for r in read_records(path, since=later)] == ["x y"]
    assert [r.flow_id for r in read_records(path, since=at.astimezone().replace(tzinfo=None))][:1] == ["1"]


def test_a_claimed_flow_is_under_way_while_its_run_goes_on_and_then_in_doubt(path: Path) -> None:
    with running(path):
        doubts = {record.flow_id: record.in_doubt for record in read_records(path)}
        assert (doubts["5"], doubts["6"]) == (True, False)
        live = read_status(path)
        assert (live.live, live.under_way, live.in_doubt) == (True, 1, 0)
        assert live.run.startswith(f"pid {os.getpid()} on ")
    gone = read_status(path)
    assert (gone.live, gone.run, gone.under_way, gone.in_doubt) == (False, "", 0, 1)


def test_a_flow_that_a_run_took_over_in_doubt_is_in_doubt_and_under_way(path: Path) -> None:
    with contextlib.closing(open_checkpoint(finished(path), IDENTITY)) as checkpoint:
        checkpoint.write([], new=1, rows=checkpoint.mark_claimed_in_doubt())
        status = read_status(path)
        assert (status.live, status.under_way, status.in_doubt) == (True, 2, 1)


def test_a_flow_that_waits_for_another_try_may_be_in_doubt(path: Path) -> None:
    with running(path) as checkpoint:
        (six,) = checkpoint.write([], new=1)
        checkpoint.write([Requeue(six.row, 1, in_doubt=True)])
        assert checkpoint.in_doubt() == 2
        assert read_status(path).in_doubt == 1
    assert read_status(path).in_doubt == 2


def test_a_path_may_be_text(path: Path) -> None:
    with running(path):
        assert list(read_records(str(path))) == list(read_records(path))
        assert read_status(str(path)) == read_status(path)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [([], True), ([State.GAVE_UP], True), ([State.DELETED, State.PENDING], True), ([State.DELETED], False)],
)
def test_a_space_among_the_selected_flows_is_found(path: Path, wanted: list[State], *, found: bool) -> None:
    assert has_space(finished(path), Selection(tuple(wanted))) == found
    assert not has_space(path, Selection((State.INVALID,)))


def test_outcomes_are_known_by_their_number_and_times(path: Path) -> None:
    with running(path) as checkpoint:
        every, later = outcomes_after(path, 0), outcomes_after(path, AT_MS)
        assert (every.total, later.total) == (5, 1)  # four flows, and the invalid line, which was found now
        assert every.newest_ms == later.newest_ms > AT_MS
        checkpoint.reopen(Retry((State.REFUSED,)))
        assert outcomes_after(path, 0).total == 4
        (three,) = checkpoint.write([], rows=[3])
        checkpoint.write([outcome(three)._replace(finished_at_ms=AT_MS + 1)])
        again = outcomes_after(path, 0)
        assert (again.total, again == every) == (5, False)
    assert outcomes_after(path, 2**60) == (0, 0, 0)


def test_the_times_of_very_many_outcomes_fit_into_their_sum(path: Path) -> None:
    finished(path)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE flow SET finished_at_ms = 9223372036854775807")
        db.commit()
    assert outcomes_after(path, 0).total == 7


def test_notes_are_read_by_the_beginning_of_their_names(path: Path) -> None:
    assert read_notes(path, "results:") == {}
    with running(path) as checkpoint:
        for name in ("results:a", "results:b", "pace"):
            checkpoint.note(name, name.upper())
        assert read_notes(path, "results:") == {"results:a": "RESULTS:A", "results:b": "RESULTS:B"}


def test_the_last_access_key_is_the_one_of_the_latest_run(path: Path) -> None:
    assert last_access_key(path) is None
    path.touch()
    assert last_access_key(path) is None
    for key in ("LTAI****Key1", "LTAI****Key2"):
        with contextlib.closing(
            open_checkpoint(path, Identity(IDENTITY.endpoint, sandbox=False, access_key=key))
        ):
            assert last_access_key(path) == key


def test_flows_that_are_left_are_counted_by_source_where_that_is_another_job_s(path: Path) -> None:
    unfinished = (State.PENDING, State.CLAIMED)
    assert left_elsewhere(path, lambda _name: False, unfinished) == {}
    path.touch()
    assert left_elsewhere(path, lambda _name: False, unfinished) == {}
    with running(path):
        assert left_elsewhere(path, lambda name: name == "b.csv", unfinished) == {}
        assert left_elsewhere(path, lambda _name: False, unfinished) == {"b.csv": 2}
        assert left_elsewhere(path, lambda _name: True, unfinished) == {}
        retried = (*unfinished, State.REFUSED)
        assert left_elsewhere(path, lambda name: name == "b.csv", retried) == {"ids.txt": 1}


def test_sources_that_cannot_be_told_are_an_error_and_not_passed_over(path: Path) -> None:
    with running(path):
        pass
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE source SET name = CAST(x'ff' AS BLOB) WHERE id = 1")
        db.commit()
    with pytest.raises(CheckpointError, match="cannot be read"):
        left_elsewhere(path, lambda _name: False, (State.PENDING,))


def test_the_status_counts_by_state_and_by_code(path: Path) -> None:
    status = read_status(finished(path))
    assert (status.endpoint, status.sandbox, status.access_key) == (
        IDENTITY.endpoint,
        False,
        IDENTITY.access_key,
    )
    assert status.inferred == 1
    assert status.states == {
        State.PENDING: 1,
        State.CLAIMED: 1,
        State.DELETED: 2,
        State.REFUSED: 1,
        State.GAVE_UP: 1,
        State.INVALID: 1,
    }
    assert status.codes[State.DELETED] == {"OK": 1, "Flow.NotExist": 1}
    assert status.codes[State.REFUSED] == {"Some.Code": 1}
    assert status.codes[State.GAVE_UP] == {"": 1}


def test_the_most_frequent_code_comes_first(path: Path) -> None:
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        checkpoint.add(entries(*"123456"))
        claims = checkpoint.write([], new=6)
        codes = ["A", "B", "B", "C", "B", "C"]
        replies = [Reply(400, code) for code in codes]
        checkpoint.write([outcome(c, State.REFUSED, r) for c, r in zip(claims, replies, strict=True)])
    assert list(read_status(path).codes[State.REFUSED].items()) == [("B", 3), ("C", 2), ("A", 1)]


def test_only_what_was_inferred_counts_as_inferred_whatever_its_code(path: Path) -> None:
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        checkpoint.add(entries(*"12345"))
        claims = checkpoint.write([], new=5)
        made = zip(claims, ["A", "A", "", "", "B"], [True, False, True, False, True], strict=True)
        checkpoint.write([outcome(c, reply=Reply(200, code), inferred=i) for c, code, i in made])
    assert read_status(path).inferred == 3


def test_an_empty_checkpoint_has_nothing(path: Path) -> None:
    open_checkpoint(path, IDENTITY).close()
    assert list(read_records(path)) == []
    assert read_status(path).states == {}


def test_the_status_is_refused_where_another_job_is_expected(path: Path) -> None:
    finished(path)
    read_status(path, IDENTITY)
    with pytest.raises(CheckpointRefusedError, match="was made for"):
        read_status(path, Identity("https://else.example", sandbox=False, access_key="k"))


# --- while a run goes on


def test_reading_sees_what_is_committed_while_a_transaction_is_open(path: Path) -> None:
    with running(path) as checkpoint:
        checkpoint._db.execute("BEGIN IMMEDIATE")
        checkpoint._db.execute("UPDATE flow SET state = 4")
        assert states(path) == ALL
        assert read_status(path).states[State.DELETED] == 2
        checkpoint._db.execute("ROLLBACK")


def test_reading_shows_one_moment_and_does_not_hold_up_the_writer(path: Path) -> None:
    with running(path) as checkpoint:
        checkpoint._db.execute("PRAGMA busy_timeout = 0")
        reading = read_records(path)
        seen = [next(reading)]
        (claimed,) = checkpoint.write([], new=1)
        checkpoint.write([outcome(claimed)])
        checkpoint.add(entries("7"))
        seen += reading
        assert {r.flow_id: r.state.value for r in seen if r.state is not State.INVALID} == {
            k: v for k, v in ALL.items() if v != "invalid"
        }
        assert states(path) == ALL | {"6": "deleted", "7": "pending"}


def test_a_reader_leaves_the_files_of_a_run_alone(path: Path) -> None:
    with running(path) as checkpoint:
        before = {f: f.read_bytes() for f in path.parent.iterdir() if f.suffix != ".ckpt-shm"}
        states(path)
        read_status(path)
        assert {f: f.read_bytes() for f in before} == before
        checkpoint.write([], new=1)
        assert states(path) == ALL | {"6": "claimed"}


# --- after a kill


def test_what_a_killed_run_left_is_read(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left.ckpt"
    with running(path):
        for end in ("", "-wal"):
            shutil.copy(f"{path}{end}", f"{left}{end}")
    assert states(left) == ALL


def test_a_transaction_that_a_kill_cut_short_is_rolled_back(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left.ckpt"
    with contextlib.closing(sqlite3.connect(finished(path), isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = 1")  # pages go to the file before the commit
        db.execute("BEGIN IMMEDIATE")
        rows = [(str(n), "s" * 300) for n in range(100, 300)]
        db.executemany("INSERT INTO flow (flow_id, cust_space_id, source, line) VALUES (?, ?, 1, 1)", rows)
        for end in ("", "-journal"):
            shutil.copy(f"{path}{end}", f"{left}{end}")
        db.execute("ROLLBACK")
    assert left.read_bytes() != path.read_bytes()
    assert states(left) == ALL
    assert read_status(left).states[State.PENDING] == 1


# --- what is no checkpoint


def test_a_checkpoint_is_begun_once_something_was_written_into_it(path: Path) -> None:
    assert not is_begun(path)
    path.touch()
    assert not is_begun(path)
    open_checkpoint(path, IDENTITY).close()
    assert is_begun(path)


@pytest.mark.parametrize("read", [read_status, last_access_key, lambda path: next(read_records(path))])
def test_a_folder_is_no_checkpoint(path: Path, read: Callable[[Path], object]) -> None:
    path.mkdir()
    (path / "file").touch()
    with pytest.raises(InputError, match=r"ids\.txt\.ckpt is a folder: name a file"):
        read(path)


@pytest.mark.parametrize("make", [lambda _path: None, lambda path: path.symlink_to(path)])
def test_a_file_that_is_not_there_is_an_input_error(path: Path, make: object) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(InputError, match=r"there is no checkpoint .*ids\.txt\.ckpt$"):
        read_status(path)
    with pytest.raises(InputError, match="there is no checkpoint"):
        next(read_records(path))


@pytest.mark.parametrize("content", [b"", b"7", b"346699123\n" * 500, b"SQLite format 3\0", b"\0" * 4096])
def test_what_is_no_checkpoint_is_refused_and_left_as_it_was(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(FlowreaperError, match=r"ids\.txt\.ckpt"):
        read_status(path)
    with pytest.raises(FlowreaperError, match=r"ids\.txt\.ckpt"):
        next(read_records(path))
    assert [f.name for f in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == content


# --- folders that cannot be written or entered


@contextlib.contextmanager
def mode(folder: Path, mode: int) -> Iterator[None]:
    """Give a folder a mode, and give up root's right to ignore it."""
    user, before = os.geteuid(), folder.stat().st_mode
    folder.chmod(mode)
    if user == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder whose parents everybody may enter, as pytest's are not."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_checkpoint_in_a_folder_that_cannot_be_written_is_read(open_folder: Path) -> None:
    path = finished(open_folder / "c.ckpt")
    path.chmod(0o444)
    with mode(open_folder, 0o555):
        assert states(path) == ALL
        assert read_status(path).inferred == 1


def test_a_checkpoint_that_was_closed_while_somebody_read_it_is_read_there_too(open_folder: Path) -> None:
    path = open_folder / "c.ckpt"
    left = open_folder / "left.ckpt"
    with running(path) as checkpoint:
        checkpoint._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(path, left)  # in WAL mode, without a log
    left.chmod(0o444)
    with mode(open_folder, 0o555):
        assert states(left) == ALL


def test_a_log_that_cannot_be_read_in_such_a_folder_is_an_error_and_not_passed_over(
    open_folder: Path,
) -> None:
    path = open_folder / "c.ckpt"
    left = open_folder / "left.ckpt"
    with running(path):
        for end in ("", "-wal"):
            shutil.copyfile(f"{path}{end}", f"{left}{end}")
            Path(f"{left}{end}").chmod(0o444)
    with mode(open_folder, 0o555), pytest.raises(CheckpointError, match=r"left\.ckpt cannot be read"):
        states(left)


def test_a_checkpoint_that_cannot_be_reached_is_a_clear_error(open_folder: Path) -> None:
    path = finished(open_folder / "c.ckpt")
    with mode(open_folder, 0o600), pytest.raises(FlowreaperError, match=r"c\.ckpt"):
        read_status(path)


# --- damaged and forged


def read_all(path: Path) -> None:
    """Read all that can be read, in every way; every failure must be one of ours."""
    with contextlib.suppress(FlowreaperError):
        read_status(path, IDENTITY)
    with contextlib.suppress(FlowreaperError):
        for record in read_records(path):
            for record_format in RecordFormat:
                writer_for(record_format)(record)
    with (
        contextlib.suppress(FlowreaperError),
        contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint,
    ):
        with contextlib.suppress(FlowreaperError):
            checkpoint.counts()
        with contextlib.suppress(FlowreaperError):
            checkpoint.add([*entries("1", "8"), invalid("x y")])
        with contextlib.suppress(FlowreaperError):
            checkpoint.write([], new=3, rows=checkpoint.mark_claimed_in_doubt())
        with contextlib.suppress(FlowreaperError):
            checkpoint.reopen(Retry((State.REFUSED,)))


@pytest.fixture(scope="module")
def sound() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return finished(Path(folder, "c.ckpt")).read_bytes()


damages = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8)), max_size=6
)


@given(damages, st.floats(0, 1))
@example([(18 / 40960, b"\x02\x02")], 1.0)
def test_a_damaged_checkpoint_is_read_or_is_a_clear_error(
    sound: bytes, damage: list[tuple[float, bytes]], left: float
) -> None:
    content = bytearray(sound)
    for place, with_what in damage:
        at = int(place * len(content))
        content[at : at + len(with_what)] = with_what
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        path = Path(folder, "c.ckpt")
        path.write_bytes(content[: int(left * len(content))])
        read_all(path)


COLUMNS = {
    "flow": [
        "flow_id",
        "cust_space_id",
        "state",
        "in_doubt",
        "inferred",
        "attempts",
        "source",
        "line",
        "http_status",
        "code",
        "message",
        "request_id",
        "finished_at_ms",
    ],
    "invalid": ["text", "reason", "source", "line", "found_at_ms"],
    "source": ["id", "name"],
    "job": ["name", "value"],
}
any_value = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.binary()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from([b"\xff", "\x1b[2J", "\n", 10**18, 1e300, -1, 99])
)


@given(st.sampled_from([(t, c) for t, columns in COLUMNS.items() for c in columns]), any_value)
def test_any_value_in_any_column_is_read_or_is_a_clear_error(
    sound: bytes, column: tuple[str, str], value: object
) -> None:
    table, name = column
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder:
        path = Path(folder, "c.ckpt")
        path.write_bytes(sound)
        forge(path, table, name, value)
        read_all(path)


def forge(path: Path, table: str, column: str, value: object) -> None:
    """Put a value where the tables of a sound checkpoint do not allow it."""
    names = ["id", *COLUMNS[table]] if table in ("flow", "invalid") else COLUMNS[table]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("BEGIN")
        kept = db.execute(f"SELECT {', '.join(names)} FROM {table}").fetchall()  # noqa: S608 -- names from above
        db.execute(f"DROP TABLE {table}")
        key = "id INTEGER PRIMARY KEY, " if "id" in names and column != "id" else ""
        rest = [name for name in names if not key or name != "id"]
        db.execute(f"CREATE TABLE {table} ({key}{', '.join(rest)})")
        db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", kept)  # noqa: S608 -- as above
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608 -- as above


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("flow", "state", 99), ("flow", "flow_id", 1), ("invalid", "line", "x"), ("job", "value", 1)],
)
def test_an_error_that_is_held_holds_no_lock_on_the_file(
    tmp_path: Path, sound: bytes, table: str, column: str, value: object
) -> None:
    path = tmp_path / "c.ckpt"
    path.write_bytes(sound)
    forge(path, table, column, value)
    held = []
    for read in (lambda: read_status(path), lambda: list(read_records(path))):
        try:
            read()
        except CheckpointError as error:
            held.append(error)
    assert held
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as db:
        db.execute("BEGIN EXCLUSIVE")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("flow", "flow_id", b"1"),
        ("flow", "flow_id", "1\n2"),
        ("flow", "cust_space_id", "\x1b[2J"),
        ("flow", "state", -1),
        ("flow", "state", 7),
        ("flow", "state", "deleted"),
        ("flow", "attempts", "many"),
        ("flow", "http_status", b"\0"),
        ("flow", "message", b"\0"),
        ("flow", "finished_at_ms", 10**18),
        ("flow", "finished_at_ms", 1e20),
        ("flow", "line", None),
        ("source", "name", 5),
        ("invalid", "text", b"\0"),
        ("invalid", "found_at_ms", None),
    ],
)
def test_a_forged_value_is_an_error_that_names_the_file(
    path: Path, table: str, column: str, value: object
) -> None:
    forge(finished(path), table, column, value)
    with pytest.raises(CheckpointError, match=r"the checkpoint .*ids\.txt\.ckpt cannot be read: ") as caught:
        list(read_records(path))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("flow", "state", 77), ("flow", "code", b"\0"), ("job", "value", b"\0"), ("job", "name", None)],
)
def test_a_forged_status_is_an_error_that_names_the_file(
    path: Path, table: str, column: str, value: object
) -> None:
    forge(finished(path), table, column, value)
    with pytest.raises(CheckpointError, match=r"ids\.txt\.ckpt cannot be read: "):
        read_status(path, IDENTITY)


def test_a_missing_table_is_a_clear_error(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(finished(path))) as db:
        db.execute("DROP TABLE invalid")
    with pytest.raises(CheckpointError, match="no such table"):
        read_status(path)
    with pytest.raises(CheckpointError, match="no such table"):
        list(read_records(path))
