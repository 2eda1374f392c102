"""The checkpoint's file while a run has it: what is refused, and what is noticed."""

import contextlib
import errno
import json
import os
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointError, CheckpointRefusedError
from flowreaper.model import State
from flowreaper.store.sqlite import companions, descriptors, file_guard, lock
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.file_guard import GuardedFile, hold
from flowreaper.store.sqlite.reader import read_records
from tests.samples import IDENTITY, entries, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.ckpt"


def held(path: Path) -> contextlib.closing[GuardedFile]:
    return contextlib.closing(hold(path))


def names(folder: Path) -> list[str]:
    return sorted(found.name for found in folder.iterdir())


# --- what is refused


def test_a_file_is_made_private_whatever_the_umask_and_nothing_beside_it(path: Path) -> None:
    old = os.umask(0)
    try:
        with held(path) as file:
            assert file.size == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(path.parent) == [path.name]


def test_a_second_run_is_refused_and_told_who_has_it(path: Path) -> None:
    with contextlib.closing(open_checkpoint(path, IDENTITY)):
        for _ in range(2):
            with pytest.raises(CheckpointRefusedError) as caught:
                hold(path)
            who = f"is in use by another run (pid {os.getpid()} on {socket.gethostname()} since 2"
            assert who in str(caught.value)
            assert caught.value.advice is None
    with held(path):
        pass


@pytest.mark.parametrize("said", [None, "5", "null", '{"pid": 1}', "[" * 4096])
def test_a_run_that_does_not_say_who_it_is_refuses_all_the_same(path: Path, said: str | None) -> None:
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        if said is None:
            checkpoint._db.execute("DELETE FROM job WHERE name = 'run'")
        else:
            checkpoint._db.execute("UPDATE job SET value = ? WHERE name = 'run'", (said,))
        with pytest.raises(CheckpointRefusedError, match="has not said who it is"):
            hold(path)


def test_what_a_forged_file_says_is_escaped(path: Path) -> None:
    forged = json.dumps({"pid": "\x1b[2J", "host": "\n", "since": "x" * 900})
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        checkpoint._db.execute("UPDATE job SET value = ? WHERE name = 'run'", (forged,))
        with pytest.raises(CheckpointRefusedError) as caught:
            hold(path)
    assert "\\x1b[2J on \\x0a" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def make_hard_link(path: Path) -> None:
    other = path.with_name("other")
    other.write_text("mine")
    path.hardlink_to(other)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is no regular file"),
        (make_fifo, "is no regular file"),
        (make_socket, "is no regular file"),
        (make_hard_link, "is a hard link: the file has 2 names"),
        (lambda path: path.symlink_to("target"), "is a symbolic link"),
    ],
    ids=["folder", "FIFO", "socket", "hard link", "symbolic link"],
)
def test_what_is_no_file_of_one_name_is_refused_and_nothing_is_made_beside_it(
    path: Path, make: Callable[[Path], None], words: str
) -> None:
    make(path)
    before = names(path.parent)
    with pytest.raises(CheckpointRefusedError, match=words):
        open_checkpoint(path, IDENTITY)
    assert names(path.parent) == before


def test_a_device_is_refused() -> None:
    before = names(Path("/dev"))
    with pytest.raises(CheckpointRefusedError, match="/dev/null is no regular file"):
        open_checkpoint(Path("/dev/null"), IDENTITY)
    assert [name for name in names(Path("/dev")) if name not in before and name.startswith("null")] == []


@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_a_file_that_sqlite_would_remove_is_not_made_prey_of_by_a_new_checkpoint(
    path: Path, end: str
) -> None:
    mine = path.with_name(path.name + end)
    mine.write_text("926000000000000001\n")
    with pytest.raises(CheckpointRefusedError, match=f"does not exist, but there is ids.ckpt{end}"):
        open_checkpoint(path, IDENTITY)
    assert names(path.parent) == [mine.name]
    assert mine.read_text() == "926000000000000001\n"


def test_the_shared_memory_that_sqlite_left_behind_is_nobodys_loss(path: Path) -> None:
    with contextlib.closing(open_checkpoint(path, IDENTITY)):
        left = path.with_name("ids.ckpt-shm").read_bytes()
    path.unlink()
    path.with_name("ids.ckpt-shm").write_bytes(left)
    with contextlib.closing(open_checkpoint(path, IDENTITY)):
        pass


def test_a_log_beside_an_empty_file_is_not_thrown_away(path: Path) -> None:
    path.touch()
    path.with_name("ids.ckpt-wal").write_text("x")
    with pytest.raises(CheckpointRefusedError, match=r"is empty, but there is ids\.ckpt-wal"):
        open_checkpoint(path, IDENTITY)


def test_a_lock_file_of_earlier_versions_is_left_alone(path: Path) -> None:
    mine = path.with_name("ids.ckpt.lock")
    mine.write_text("[[package]]\n")
    with contextlib.closing(open_checkpoint(path, IDENTITY)):
        pass
    assert mine.read_text() == "[[package]]\n"


def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointRefusedError, match=r"cannot be made: there is no folder .*nowhere"):
        hold(tmp_path / "nowhere" / "c")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_file_that_cannot_be_written_is_refused_with_the_next_step(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("flowreaper.store.sqlite.file_guard.os.open", refuse)
    with pytest.raises(CheckpointRefusedError, match=r"written$"):
        hold(path)


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowreaper.store.sqlite.file_guard.os.access", lambda *_: False)
    with pytest.raises(CheckpointRefusedError, match=r"written$"):
        hold(path)
    assert names(path.parent) == []


def test_a_file_system_without_locks_is_a_clear_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_fd: int) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "take", none)
    with pytest.raises(CheckpointError, match=os.strerror(errno.ENOLCK)):
        hold(path)


@pytest.mark.parametrize("goes", ["removed", "replaced", "made first by another"])
def test_a_file_that_comes_or_goes_while_it_is_taken_is_taken_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, goes: str
) -> None:
    real = lock.take
    calls: list[int] = []

    def take(fd: int) -> bool:
        calls.append(fd)
        if len(calls) == 1:
            path.unlink()
            if goes != "removed":
                path.touch()
        return real(fd)

    monkeypatch.setattr(lock, "take", take)
    with held(path):
        assert len(calls) == 2
        assert file_guard.has_run(path)


def test_a_run_that_has_ended_has_the_file_no_more_and_leaves_no_descriptor(path: Path) -> None:
    assert not file_guard.has_run(path)
    with contextlib.closing(open_checkpoint(path, IDENTITY)):
        assert file_guard.has_run(path)
    assert not file_guard.has_run(path)
    assert not descriptors._users
    assert not descriptors._unused


# --- what is noticed


@pytest.fixture
def checkpoint(path: Path) -> Iterator[Checkpoint]:
    """A run that has deleted 1, claimed 2, and folded neither into the main file."""
    running = open_checkpoint(path, IDENTITY)
    running.add(entries("1", "2", "3"))
    running.write([outcome(running.write([], new=2)[0])])
    yield running
    with contextlib.suppress(sqlite3.ProgrammingError):  # the test has closed it
        running.close()


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def copy_in_place(path: Path) -> None:
    """Put an older copy of the file into the same inode."""
    old = path.with_name("old")
    with contextlib.closing(open_checkpoint(old, IDENTITY)) as other:
        other.add(entries("1", "2", "3"))
    path.write_bytes(old.read_bytes())


def replace_log(path: Path) -> None:
    log_of(path).unlink()
    log_of(path).write_text("x")


WHAT: dict[str, tuple[Callable[[Path], object], str]] = {
    "removed": (Path.unlink, "was removed. All that was recorded is saved as .*ids.ckpt.saved"),
    "renamed": (lambda path: path.rename(path.with_name("new")), r"was renamed or moved \(it is .*/new\)"),
    "replaced": (lambda path: path.with_name("x").rename(path), "is another file now. All .* is saved as"),
    "moved and replaced": (
        lambda path: (path.rename(path.with_name("new")), path.write_text("x")),
        r"is another file now \(it is .*/new\). All that was recorded is still in it",
    ),
    "linked": (lambda path: path.with_name("new").hardlink_to(path), "has a second name now"),
    "emptied": (lambda path: os.truncate(path, 0), "was truncated or overwritten by something else"),
    "cut": (lambda path: os.truncate(path, 8192), "was truncated or overwritten"),
    "written over": (lambda path: path.write_text("x\n"), "was truncated or overwritten"),
    "copied over": (copy_in_place, "overwritten by something else"),
    "log removed": (lambda path: log_of(path).unlink(), "has lost its log: ids.ckpt-wal was removed"),
    "log replaced": (replace_log, "has lost its log: ids.ckpt-wal is another file now"),
    "log emptied": (lambda path: os.truncate(log_of(path), 0), "ids.ckpt-wal was truncated or overwritten"),
    "log linked": (
        lambda path: log_of(path).with_name("new").hardlink_to(log_of(path)),
        "has a log with a second",
    ),
}


@pytest.mark.parametrize("what", WHAT)
def test_whatever_happens_to_the_file_is_noticed_by_the_next_check_and_the_next_transaction(
    path: Path, checkpoint: Checkpoint, what: str
) -> None:
    path.with_name("x").write_text("x")
    checkpoint.check()
    do, words = WHAT[what]
    do(path)
    with pytest.raises(CheckpointError, match=words) as caught:
        checkpoint.check()
    for use in (checkpoint.check, lambda: checkpoint.add(entries("4")), lambda: checkpoint.write([], new=1)):
        with pytest.raises(CheckpointError) as again:
            use()
        assert again.value is caught.value


@pytest.mark.parametrize("what", WHAT)
def test_whatever_happens_to_the_file_a_transaction_keeps_nothing(
    path: Path, checkpoint: Checkpoint, what: str
) -> None:
    path.with_name("x").write_text("x")
    do, words = WHAT[what]
    do(path)
    with pytest.raises(CheckpointError, match=words):
        checkpoint.add(entries("4"))


KEPT = {"1": State.DELETED, "2": State.CLAIMED, "3": State.PENDING}


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("removed", "ids.ckpt.saved"),
        ("replaced", "ids.ckpt.saved"),
        ("renamed", "new"),
        ("moved and replaced", "new"),
        ("linked", "ids.ckpt"),
        ("log removed", "ids.ckpt"),
        ("log replaced", "ids.ckpt"),
        ("log linked", "ids.ckpt"),
    ],
)
def test_what_was_recorded_is_where_the_message_says_and_can_be_gone_on_with(
    path: Path, checkpoint: Checkpoint, what: str, name: str
) -> None:
    path.with_name("x").write_text("x")
    WHAT[what][0](path)
    with pytest.raises(CheckpointError):
        checkpoint.check()
    checkpoint.close()
    if what == "log replaced":
        assert log_of(path).read_text() == "x"  # whose it is, flowreaper does not know
        log_of(path).unlink()
    if "linked" in what:
        path.with_name("new").unlink()
    left = path.with_name(name)
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert {r.flow_id: r.state for r in read_records(left)} == KEPT
    with contextlib.closing(open_checkpoint(left, IDENTITY)) as again:
        assert again.mark_claimed_in_doubt() == [2]


@pytest.mark.parametrize("what", ["emptied", "written over", "copied over"])
def test_what_somebody_put_into_the_file_is_left_as_it_is(
    path: Path, checkpoint: Checkpoint, what: str
) -> None:
    WHAT[what][0](path)
    theirs = path.read_bytes()
    with pytest.raises(CheckpointError, match="Put a copy of it back before you go on"):
        checkpoint.add(entries("4"))
    checkpoint.close()
    assert path.read_bytes() == theirs
    assert log_of(path).exists()


def test_what_cannot_be_saved_is_said_to_be_lost(path: Path, checkpoint: Checkpoint) -> None:
    taken = list(companions.saved_names(path))
    for name in taken:
        name.write_text("mine")
    path.unlink()
    with pytest.raises(CheckpointError, match=r"could not be saved \(.*every name for it is taken"):
        checkpoint.check()
    assert {name.read_text() for name in taken} == {"mine"}


def test_a_folder_that_cannot_be_written_any_more_is_noticed(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowreaper.store.sqlite.file_guard.os.access", lambda *_: False)
    with pytest.raises(CheckpointError, match=r"is in a folder that cannot be written any more: .*writable"):
        checkpoint.check()


def test_a_run_that_its_lock_did_not_reach_is_noticed_by_the_next_transaction(
    path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "take", lambda _fd: True)
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as other:
        other.add(entries("4"))
        with pytest.raises(CheckpointError, match="was taken by another run"):
            checkpoint.write([], new=1)
        checkpoint.close()
        other.add(entries("5"))
        assert other.counts()[State.PENDING] == 3


def test_a_second_run_does_not_get_in_through_a_copy_under_the_same_name(
    path: Path, checkpoint: Checkpoint
) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)
    with pytest.raises(CheckpointError, match="is another file now"):
        checkpoint.write([], new=1)


def test_folding_is_no_change_of_somebody_elses(
    path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowreaper.store.sqlite.wal.FOLD_BYTES", 1)
    for number in range(20):
        checkpoint.add(entries(str(100 + number)))
        checkpoint.check()
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM flow").fetchone()[0] >= 20
