"""The lock that keeps two runs off one checkpoint."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointError, CheckpointRefusedError
from flowreaper.lock import CheckpointLock

_ROOT = Path(__file__).parent.parent
_HOLD = """
import sys
from pathlib import Path
from flowreaper.lock import CheckpointLock
with CheckpointLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


def lock_file(path: Path) -> Path:
    return path.with_name("ids.txt.ckpt.lock")


@contextlib.contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input ends."""
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


def test_a_second_taker_is_refused_and_told_who_holds_it(path: Path) -> None:
    with held_elsewhere(path) as process:
        with pytest.raises(CheckpointRefusedError) as caught, CheckpointLock(path):
            pass
        message = str(caught.value)
        assert (
            f"{path} is in use by another run (pid {process.pid} on {socket.gethostname()} since" in message
        )
        since = message.split(" since ")[1].split(")", maxsplit=1)[0]
        assert datetime.fromisoformat(since).tzinfo is not None
        assert "with -c" in message


def test_a_second_taker_in_the_same_process_is_refused_too_and_the_first_keeps_it(path: Path) -> None:
    with CheckpointLock(path):
        for _ in range(2):
            with pytest.raises(CheckpointRefusedError, match=f"pid {os.getpid()} "), CheckpointLock(path):
                pass
        assert lock_file(path).exists()


def test_locks_of_two_checkpoints_do_not_meet(path: Path) -> None:
    with CheckpointLock(path), CheckpointLock(path.with_name("other.ckpt")):
        pass


def test_the_lock_dies_with_a_killed_process_and_its_file_locks_nobody_out(path: Path) -> None:
    with held_elsewhere(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lock_file(path).exists()
        with CheckpointLock(path):
            assert json.loads(lock_file(path).read_text())["pid"] == os.getpid()
    assert not lock_file(path).exists()


def test_a_longer_file_that_was_left_behind_does_not_show_through(path: Path) -> None:
    lock_file(path).write_text("x" * 10_000)
    with CheckpointLock(path):
        assert json.loads(lock_file(path).read_text())["pid"] == os.getpid()


def test_the_lock_is_free_again_and_its_file_gone_at_the_end_even_of_a_failed_run(path: Path) -> None:
    lock = CheckpointLock(path)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock:
            raise ZeroDivisionError
        assert list(path.parent.iterdir()) == []


def test_the_file_is_private_whatever_the_umask(path: Path) -> None:
    old = os.umask(0)
    try:
        with CheckpointLock(path):
            assert stat.S_IMODE(lock_file(path).stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_a_symbolic_link_in_its_place_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "somebodys"
    target.write_text("mine")
    lock_file(path).symlink_to(target)
    with pytest.raises(CheckpointError, match=r"\.ckpt\.lock: "), CheckpointLock(path):
        pass
    assert target.read_text() == "mine"
    assert lock_file(path).is_symlink()


def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(CheckpointRefusedError, match=r"cannot be made: there is no folder .*nowhere"),
        CheckpointLock(tmp_path / "nowhere" / "c"),
    ):
        pass


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_folder_that_cannot_be_written_is_refused_with_the_next_step(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("flowreaper.lock.os.open", refuse)
    with pytest.raises(CheckpointRefusedError, match=r"written, with --checkpoint$"), CheckpointLock(path):
        pass


@pytest.mark.parametrize("goes_away", ["removed", "replaced"])
def test_a_file_that_goes_away_while_it_is_taken_is_taken_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch, goes_away: str
) -> None:
    real = fcntl.flock
    calls: list[int] = []

    def flock(fd: int, operation: int) -> None:
        if not calls:
            lock_file(path).unlink()
            if goes_away == "replaced":
                lock_file(path).touch()
        calls.append(fd)
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with CheckpointLock(path):
        monkeypatch.undo()
        assert len(calls) == 2
        with pytest.raises(CheckpointRefusedError), CheckpointLock(path):
            pass


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"5", b"[1]", b"null", b'{"pid": 1}', b"[" * 4096], ids=lambda c: repr(c[:12])
)
def test_a_holder_that_does_not_say_who_it_is_refuses_all_the_same(path: Path, content: bytes) -> None:
    lock_file(path).write_bytes(content)
    with lock_file(path).open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(CheckpointRefusedError, match="has not said who it is"), CheckpointLock(path):
            pass
    assert lock_file(path).read_bytes() == content


def test_what_a_forged_file_says_is_escaped(path: Path) -> None:
    lock_file(path).write_text(json.dumps({"pid": "\x1b[2J", "host": "\n", "since": "x" * 900}))
    with lock_file(path).open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(CheckpointRefusedError) as caught, CheckpointLock(path):
            pass
    assert "\\x1b[2J on \\x0a" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
