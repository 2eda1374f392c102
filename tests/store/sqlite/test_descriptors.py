"""Descriptors of database files, and SQLite's locks, which closing one would take away."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from flowreaper.store.sqlite import descriptors

_WRITE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0)
try:
    db.execute("BEGIN EXCLUSIVE")
    print("wrote")
except sqlite3.OperationalError as error:
    print(error)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "c.ckpt"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
    return path


def another_process_writes(path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _WRITE, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_reading_a_file_releases_no_lock_of_another_reader_in_this_process(path: Path) -> None:
    with descriptors.reading(path), contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with descriptors.reading(path):
            pass
        assert another_process_writes(path) == "database is locked"
    assert another_process_writes(path) == "wrote"


def test_a_descriptor_is_lent_again_and_closed_with_the_last_user(path: Path) -> None:
    with descriptors.reading(path) as outer:
        with descriptors.reading(path) as first:
            pass
        for _ in range(100):
            with descriptors.reading(path) as again:
                assert again == first
        assert is_open(first)
    assert not is_open(first)
    assert not is_open(outer)


def test_another_file_under_the_same_name_gets_a_descriptor_of_its_own(path: Path) -> None:
    with descriptors.reading(path) as old:
        path.rename(path.with_name("moved"))
        path.write_text("another")
        with descriptors.reading(path) as new:
            assert os.fstat(new).st_ino == path.stat().st_ino != os.fstat(old).st_ino


def test_what_does_not_exist_cannot_be_looked_at(path: Path) -> None:
    path.unlink()
    with pytest.raises(FileNotFoundError), descriptors.reading(path):
        pass
