"""A file that processes share: one at a time, and only the file that has the name."""

import errno
from pathlib import Path

import pytest

from flowreaper.limiter.locked_file import LockedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shared" / "file.json"


def replace(file: LockedFile, new: bytes) -> bytes:
    """Replace the file's text; return the old one."""
    with file.locked() as (text, write):
        write(new)
        return text


def test_what_one_process_wrote_another_reads(path: Path) -> None:
    one, other = LockedFile(path), LockedFile(path)
    assert replace(one, b"a long text") == b""
    assert replace(other, b"short").strip() == b"a long text"
    assert replace(one, b"").strip() == b"short"


def test_who_finds_it_locked_does_not_wait(path: Path) -> None:
    one, other = LockedFile(path), LockedFile(path)
    with one.locked(), pytest.raises(BlockingIOError), other.locked():
        pass
    assert replace(other, b"x") == b""


def test_the_lock_ends_with_an_error_inside(path: Path) -> None:
    file = LockedFile(path)
    with pytest.raises(ZeroDivisionError), file.locked():
        raise ZeroDivisionError
    assert replace(LockedFile(path), b"x") == b""


def test_a_file_that_was_replaced_under_the_lock_counts_as_locked(path: Path) -> None:
    file = LockedFile(path)

    def use_it_while_it_is_removed() -> None:
        with file.locked():
            path.unlink()

    with pytest.raises(BlockingIOError):
        use_it_while_it_is_removed()
    with file.locked():
        assert file.has_moved
    assert not file.has_moved


def test_it_is_open_from_its_first_use_until_it_is_closed_and_may_be_used_again(path: Path) -> None:
    file = LockedFile(path)
    seen = [file.is_open]
    replace(file, b"x")
    seen.append(file.is_open)
    file.close()
    file.close()
    seen.append(file.is_open)
    assert replace(file, b"y") == b"x"
    assert seen == [False, True, False]
    assert file.is_open


def test_a_lock_that_is_held_for_long_is_explained(path: Path) -> None:
    error = LockedFile(path).held()
    assert error.errno == errno.ETIMEDOUT
    assert error.filename == str(path)
    assert "resume or end" in str(error)
