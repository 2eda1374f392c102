"""Lines that are appended to a file, and what a crash leaves of them."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.safeguards.line_file import LineFile, line_at, lines_in, write_file


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def opened(folder: int) -> LineFile:
    return LineFile.opened("lines", folder)


def test_lines_are_appended_over_several_openings(tmp_path: Path, folder: int) -> None:
    for line in (b"1\n", b"2\n3\n"):
        file = opened(folder)
        file.append(line)
        assert file.last() == line.split()[-1]
        file.close()
    assert (tmp_path / "lines").read_bytes() == b"1\n2\n3\n"
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600
    found = list(lines_in("lines", folder))
    assert found == [(0, b"1\n"), (2, b"2\n"), (4, b"3\n")]
    assert [line_at("lines", folder, place) for place, _ in found] == [line for _, line in found]


def test_a_new_file_has_no_last_line(folder: int) -> None:
    file = opened(folder)
    assert file.last() == b""
    file.close()


def test_a_missing_file_has_no_lines(folder: int) -> None:
    assert list(lines_in("lines", folder)) == []


@pytest.mark.parametrize("half", [b"{", b'{"a": 1}', b"\0\0\0", b'{"a"' + 5000 * b"\0"])
@pytest.mark.parametrize("whole", [b"", b"1\n", b"1\n2\n"])
def test_half_a_line_at_the_end_is_cut_when_the_file_is_opened(
    tmp_path: Path, folder: int, whole: bytes, half: bytes
) -> None:
    (tmp_path / "lines").write_bytes(whole + half)
    assert b"".join(line for _, line in lines_in("lines", folder)) == whole
    file = opened(folder)
    file.append(b"3\n")
    file.close()
    assert (tmp_path / "lines").read_bytes() == whole + b"3\n"


def test_a_file_that_ends_with_an_endless_line_is_left_alone(tmp_path: Path, folder: int) -> None:
    (tmp_path / "lines").write_bytes(b"1\n" + 2_000_000 * b"x")
    with pytest.raises(OSError, match="too long"):
        opened(folder)
    assert (tmp_path / "lines").stat().st_size == 2_000_002


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "pipe", "folder"])
def test_what_is_no_file_of_its_own_is_refused(tmp_path: Path, folder: int, kind: str) -> None:
    (tmp_path / "other").write_bytes(b"half")
    place = tmp_path / "lines"
    if kind == "symbolic link":
        place.symlink_to("other")
    elif kind == "hard link":
        place.hardlink_to(tmp_path / "other")
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(OSError):  # noqa: PT011 -- which one is the system's choice
        opened(folder)
    assert (tmp_path / "other").read_bytes() == b"half"


def test_an_append_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(folder)
    file.append(b"1\n")
    write = os.write

    def full(fd: int, content: bytes) -> int:
        if len(content) < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, content[:3])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        file.append(b"22222\n")
    monkeypatch.undo()
    assert (tmp_path / "lines").read_bytes() == b"1\n"
    file.append(b"3\n")
    file.close()
    assert (tmp_path / "lines").read_bytes() == b"1\n3\n"


@given(content=st.binary(max_size=100), chunk=st.integers(1, 7))
def test_a_file_is_written_whole_in_whatever_pieces(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("whole")
    fd = os.open(path, os.O_RDONLY)
    write = os.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda fd, content: write(fd, content[:chunk]))
        write_file("file", content, fd)
    with pytest.raises(FileExistsError):
        write_file("file", b"other", fd)
    os.close(fd)
    assert (path / "file").read_bytes() == content
