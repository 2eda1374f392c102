"""Outcomes streamed to a file or to standard output."""

import contextlib
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointError, ConfigurationError, OutputError
from flowreaper.sink.formats import json_line
from flowreaper.sink.stream import MOST_HELD, JsonLines, open_pipe, open_target, started
from flowreaper.store.records import record_of
from tests.samples import claim, outcome

ONE, TWO = (record_of(outcome(claim(row, str(row)))) for row in (1, 2))
PATIENCE_S = 30.0


def unexpected(name: str) -> None:
    raise AssertionError(f"{name} was closed")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        with contextlib.suppress(OSError):  # the test may have closed it
            os.close(fd)


def writing_to(
    fd: int, closed: Callable[[str], None] = unexpected, *, most_held: int = MOST_HELD
) -> contextlib.AbstractContextManager[JsonLines]:
    return started(JsonLines(fd, "standard output", closed, most_held=most_held))


@contextlib.contextmanager
def appending_to(target: Path | str) -> Iterator[JsonLines]:
    fd = open_target(str(target))
    try:
        with started(JsonLines(fd, str(target), unexpected)) as lines:
            yield lines
    finally:
        os.close(fd)


def fill(fd: int) -> int:
    """Fill a pipe; return how many bytes it took."""
    os.set_blocking(fd, False)
    took = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            took += os.write(fd, b"x")
    os.set_blocking(fd, True)
    return took


def test_each_outcome_is_a_line_in_the_file_while_the_run_goes_on(tmp_path: Path) -> None:
    target = tmp_path / "results.jsonl"
    with appending_to(target) as lines:
        assert target.read_text() == ""
        lines.put(ONE)
        assert lines.written(PATIENCE_S)
        assert target.read_text() == json_line(ONE)
        lines.put(TWO)
    assert [json.loads(line)["flow_id"] for line in target.read_text().splitlines()] == ["1", "2"]


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    target = tmp_path / "results.jsonl"
    target.write_text("before\n")
    with appending_to(target) as lines:
        lines.put(ONE)
    assert target.read_text() == "before\n" + json_line(ONE)


def test_a_new_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "results.jsonl"
    old = os.umask(0)
    try:
        with appending_to(target):
            assert stat.S_IMODE(target.stat().st_mode) == 0o600
    finally:
        os.umask(old)


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, *, exists: bool) -> None:
    target = tmp_path / "somebodys"
    if exists:
        target.write_text("mine")
    link = tmp_path / "results.jsonl"
    link.symlink_to(target)
    with (
        pytest.raises(ConfigurationError, match=r"results\.jsonl: it is a symbolic link"),
        appending_to(link),
    ):
        pass
    assert target.exists() == exists
    assert not exists or target.read_text() == "mine"


@pytest.mark.parametrize("name", ["", "nowhere/results"])
def test_what_cannot_be_opened_is_an_error_that_says_why(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(
            ConfigurationError, match=r"cannot write the results to .*(Is a directory|No such file)"
        ),
        appending_to(f"{tmp_path}/{name}"),
    ):
        pass


def test_a_name_that_could_steer_a_terminal_is_escaped(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError) as caught,
        appending_to(f"{tmp_path}/no\x1b[2J/x"),
    ):
        pass
    assert "no\\x1b[2J" in str(caught.value)


def test_a_given_descriptor_stays_open(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    with writing_to(writing) as lines:
        lines.put(ONE)
    os.write(writing, b"open\n")
    assert os.read(reading, 10_000).decode() == json_line(ONE) + "open\n"


def test_a_reader_that_goes_away_ends_the_stream_quietly_and_is_told_once(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    closed: list[str] = []
    with writing_to(writing, closed.append) as lines:
        lines.put(ONE)
        assert lines.written(PATIENCE_S)
        os.close(reading)
        for _ in range(3):
            lines.put(TWO)
            assert lines.written(PATIENCE_S)
    assert closed == ["standard output"]


def test_a_reader_that_goes_away_after_the_last_outcome_is_told_too(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    closed: list[str] = []
    os.close(reading)
    with writing_to(writing, closed.append) as lines:
        lines.put(ONE)
    assert closed == ["standard output"]


def test_a_full_disk_is_an_error_that_says_where_the_outcomes_are() -> None:
    with appending_to("/dev/full") as lines:
        lines.put(ONE)
        assert lines.written(PATIENCE_S)
        with pytest.raises(OutputError, match=r"/dev/full: No space left.*is in the checkpoint$"):
            lines.put(TWO)
        lines.put(TWO)  # it has been told


def test_a_disk_that_is_full_at_the_last_outcome_is_an_error_too() -> None:
    with (
        pytest.raises(OutputError, match="No space left"),
        appending_to("/dev/full") as lines,
    ):
        lines.put(ONE)


def test_a_line_that_the_system_takes_in_pieces_is_written_whole(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    with writing_to(writing) as lines:
        lines.put(ONE)
    monkeypatch.undo()
    assert os.read(reading, 10_000).decode() == json_line(ONE)


def test_a_reader_that_does_not_read_is_not_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    took = fill(writing)
    with writing_to(writing) as lines:
        for _ in range(1000):
            lines.put(ONE)
        assert not lines.written(0.01)
        drained = b""
        while len(drained) < took + 1000 * len(json_line(ONE)):
            drained += os.read(reading, 1 << 20)
        assert lines.written(PATIENCE_S)
    assert drained[took:].decode() == 1000 * json_line(ONE)


def test_what_waits_for_a_reader_is_bounded(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    took = fill(writing)
    most_held = 3 * len(json_line(ONE))
    counts = []
    with writing_to(writing, most_held=most_held) as lines:

        def put() -> None:
            for number in range(50):
                lines.put(ONE)
                counts.append(number)

        putting = threading.Thread(target=put)
        putting.start()
        putting.join(0.2)
        # Three wait, and what the thread took at once.
        assert putting.is_alive()
        assert len(counts) <= 6
        drained = 0
        while drained < took + 50 * len(json_line(ONE)):
            drained += len(os.read(reading, 1 << 20))
        putting.join()
    assert len(counts) == 50


def test_the_first_line_is_announced_before_anything_is_written(tmp_path: Path) -> None:
    target = tmp_path / "results.jsonl"
    announced = []

    def begin(first: bytes) -> None:
        announced.append((first, target.read_bytes()))

    fd = open_target(str(target))
    with started(JsonLines(fd, "results", unexpected, begin=begin)) as lines:
        lines.put(ONE)
        assert lines.written(PATIENCE_S)
        lines.put(TWO)
    os.close(fd)
    assert announced == [(json_line(ONE).encode(), b"")]


def test_nothing_is_written_where_the_first_line_cannot_be_announced(tmp_path: Path) -> None:
    target = tmp_path / "results.jsonl"

    def begin(_first: bytes) -> None:
        raise CheckpointError("the disk is gone")

    fd = open_target(str(target))
    with (
        pytest.raises(CheckpointError, match="the disk is gone"),
        started(JsonLines(fd, "results", unexpected, begin=begin)) as lines,
    ):
        lines.put(ONE)
    os.close(fd)
    assert target.read_bytes() == b""


def test_a_named_pipe_is_opened_once_somebody_reads_it(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert open_pipe(str(pipe)) is None
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writing = open_pipe(str(pipe))
    assert writing is not None
    assert os.get_blocking(writing)
    os.close(writing)
    os.close(reading)
