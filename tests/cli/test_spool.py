"""What a slow reader has not taken yet does not hold up its writer, and nothing of it is lost."""

import contextlib
import errno
import io
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.cli.spool import Spool

MORE_THAN_A_PIPE_HOLDS = 1024 * 1024


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A pipe's reading and writing end."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        yield reader, writer


@given(st.lists(st.binary(max_size=2000), max_size=30))
def test_all_that_is_written_comes_out_in_its_order(pieces: list[bytes]) -> None:
    out = io.BytesIO()
    with Spool(out) as spooled:
        for piece in pieces:
            spooled.write(piece)
    assert out.getvalue() == b"".join(pieces)


def test_a_writer_does_not_wait_for_a_reader_and_leaving_does(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    reader, writer = pipe
    written = threading.Event()
    read: list[bytes] = []

    def read_late() -> None:
        assert written.wait(30)
        read.append(reader.read(MORE_THAN_A_PIPE_HOLDS))

    reading = threading.Thread(target=read_late)
    reading.start()
    with Spool(writer) as spooled:
        spooled.write(b"x" * MORE_THAN_A_PIPE_HOLDS)
        written.set()
    reading.join()
    assert read == [b"x" * MORE_THAN_A_PIPE_HOLDS]


def test_a_reader_that_goes_away_ends_the_writing(pipe: tuple[BinaryIO, BinaryIO]) -> None:
    reader, writer = pipe
    reader.close()

    def write_for_ever() -> None:
        with Spool(writer) as spooled:
            while True:
                spooled.write(b"x" * 1000)

    with pytest.raises(BrokenPipeError):
        write_for_ever()
    with contextlib.suppress(BrokenPipeError):  # what its buffer holds
        writer.close()


def test_what_the_writer_raises_is_raised_and_nothing_more_is_written() -> None:
    out = io.BytesIO()

    def read_what_is_damaged() -> None:
        with Spool(out) as spooled:
            spooled.write(b"x")
            raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        read_what_is_damaged()
    assert out.getvalue() in (b"", b"x")


def test_without_room_the_writer_waits_for_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    real, room = os.pwrite, 100

    def pwrite(fd: int, data: bytes, at: int) -> int:
        if at >= room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[: room - at], at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    out = io.BytesIO()
    with Spool(out) as spooled:
        for number in range(100):
            spooled.write(b"%09d," % number)
    assert out.getvalue() == b"".join(b"%09d," % number for number in range(100))


def test_no_room_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def pwrite(_fd: int, _data: bytes, _at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(OSError, match="No space left"), Spool(io.BytesIO()) as spooled:
        spooled.write(b"x")
