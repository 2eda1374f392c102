"""The lock that keeps two runs off one checkpoint."""

import contextlib
import errno
import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.store.sqlite import lock

_ROOT = Path(__file__).parent.parent
_HOLD = """
import os, sys
from flowreaper.store.sqlite import lock
fd = os.open(sys.argv[1], os.O_RDWR)
print("held" if lock.take(fd) else "refused", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ids.txt.ckpt"
    path.touch()
    return path


@contextlib.contextmanager
def opened(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["as the kernel has it", "a kernel without locks of open files"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel refuse one kind of locks, as gVisor's does."""
    if request.param == "as the kernel has it":
        return
    real = fcntl.fcntl

    def plain(fd: int, command: int, argument: bytes) -> bytes:
        if command in (getattr(fcntl, "F_OFD_SETLK", -1), getattr(fcntl, "F_OFD_GETLK", -1)):
            raise OSError(errno.EINVAL, "no such command")
        return real(fd, command, argument)

    monkeypatch.setattr(fcntl, "fcntl", plain)


@pytest.mark.usefixtures("kind")
def test_a_second_process_is_refused_and_sees_that_the_first_holds_it(path: Path) -> None:
    with opened(path) as fd:
        assert not lock.is_taken(fd)
        with held_elsewhere(path):
            assert lock.is_taken(fd)
            assert not lock.take(fd)


def test_a_second_taker_in_the_same_process_is_refused_too(path: Path) -> None:
    with opened(path) as first, opened(path) as second:
        assert lock.take(first)
        assert lock.take(first)
        assert lock.is_taken(second)
        assert not lock.take(second)


@pytest.mark.usefixtures("kind")
def test_the_lock_dies_with_a_killed_process(path: Path) -> None:
    with held_elsewhere(path) as process, opened(path) as fd:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not lock.is_taken(fd)
        assert lock.take(fd)


@pytest.mark.usefixtures("kind")
def test_asking_for_the_lock_needs_no_right_to_write_and_takes_no_lock(path: Path) -> None:
    with opened(path, os.O_RDONLY) as looking, opened(path) as fd:
        assert not lock.is_taken(looking)
        assert lock.take(fd)


@pytest.mark.usefixtures("kind")
def test_it_does_not_meet_sqlites_own_locks(path: Path) -> None:
    with held_elsewhere(path), contextlib.closing(sqlite3.connect(path, timeout=0)) as db:
        db.execute("CREATE TABLE t (x)")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("BEGIN EXCLUSIVE")


def test_a_file_system_without_locks_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> bytes:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "fcntl", none)
    with opened(path) as fd:
        with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
            lock.take(fd)
        with pytest.raises(OSError, match=os.strerror(errno.ENOLCK)):
            lock.is_taken(fd)


@pytest.mark.skipif(not hasattr(fcntl, "F_OFD_SETLK"), reason="locks belong to the process here")
def test_where_a_reader_is_pretended_sqlite_leaves_the_log_as_it_closes(path: Path) -> None:
    log = path.with_name(path.name + "-wal")
    for pose in (False, True):
        with opened(path) as fd:
            db = sqlite3.connect(path)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(f"CREATE TABLE t{pose} (x)")
            before = path.read_bytes(), log.read_bytes()
            if pose:
                assert lock.pose_as_reader(fd)
            db.close()
            assert log.exists() == pose
    assert (path.read_bytes(), log.read_bytes()) == before
