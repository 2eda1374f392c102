"""Files and pipes in, batches out, nothing read ahead of its delivery."""

import asyncio
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.model import AnyEntry, Entry
from flowreaper.producer.files import FilesProducer, read_entries
from flowreaper.producer.formats import Format, InputSettings
from flowreaper.producer.sources import Source, open_sources

NO_STDIN = -1
TEXT = InputSettings()


class Keeper:
    """A checkpoint's stand-in: keeps batches, holds them up while `gate` is closed, fails with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.came = asyncio.Event()
        self.error = error

    async def deliver(self, batch: list[AnyEntry]) -> None:
        self.batches.append([e.flow.flow_id if isinstance(e, Entry) else "invalid" for e in batch])
        self.came.set()
        await self.gate.wait()
        if self.error:
            raise self.error

    @property
    def ids(self) -> list[str]:
        return [flow_id for batch in self.batches for flow_id in batch]

    async def until(self, *ids: str) -> None:
        while self.ids != list(ids):
            self.came.clear()
            await self.came.wait()


class Pipe:
    """A pipe with its source; the writing end stays open until `end`."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self.sources = open_sources(["-"], self.read_fd)

    def write(self, data: bytes) -> None:
        os.write(self.write_fd, data)

    def unread(self) -> int:
        """Bytes that nobody has taken out of the pipe yet."""
        os.set_blocking(self.read_fd, False)
        try:
            return len(os.read(self.read_fd, 1 << 20))
        except BlockingIOError:
            return 0

    def end(self) -> None:
        if self.write_fd >= 0:
            os.close(self.write_fd)
        self.write_fd = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.end()
    os.close(made.read_fd)


def file(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def ids_of(source: Source, settings: InputSettings = TEXT) -> list[str]:
    return [e.flow.flow_id if isinstance(e, Entry) else "invalid" for e in read_entries(source, settings)]


def descriptors() -> set[str]:
    return {path.name for path in Path("/dev/fd").iterdir()}


async def no_reading_thread() -> None:
    """Wait until the producer's thread is gone; the test's timeout is the limit."""
    for thread in threading.enumerate():
        if thread.name == "producer":
            await asyncio.to_thread(thread.join)


# --- opening


@pytest.mark.parametrize("bad", ["missing.txt", "nul\0", "dir", "half\udcff", "file.txt/x"])
def test_every_source_is_checked_before_any_is_read_and_the_bad_one_is_named(
    tmp_path: Path, bad: str
) -> None:
    good = file(tmp_path / "file.txt", b"1\n")
    (tmp_path / "dir").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = descriptors()
    with pytest.raises(InputError, match=re.escape(printable(bad)) + ":"):
        open_sources([good, str(tmp_path / "fifo"), str(tmp_path / bad)], NO_STDIN)
    assert descriptors() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.touch(0o000)
    with pytest.raises(InputError, match="Permission denied"):
        open_sources([path], NO_STDIN)


def test_standard_input_is_taken_once_and_must_be_readable(tmp_path: Path, pipe: Pipe) -> None:
    with pytest.raises(InputError, match="once"):
        open_sources(["-", "-"], pipe.read_fd)
    with pytest.raises(InputError, match="standard input"):
        open_sources(["-"], NO_STDIN)
    with pytest.raises(InputError, match="writing only"):
        open_sources(["-"], pipe.write_fd)
    directory = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(InputError, match="directory"):
        open_sources(["-"], directory)
    os.close(directory)


def test_regular_files_hold_no_descriptors_between_readings(tmp_path: Path) -> None:
    before = descriptors()
    sources = open_sources([file(tmp_path / f"{i}.txt", b"%d\n" % i) for i in range(50)], NO_STDIN)
    assert descriptors() == before
    assert all(source.rereadable for source in sources)
    assert [ids_of(source) for source in sources] == [[str(i)] for i in range(50)]
    assert descriptors() == before


def test_an_entry_names_the_path_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file(tmp_path / "a.txt", b"1\n")
    (source,) = open_sources([Path("a.txt")], NO_STDIN)
    (entry,) = read_entries(source, TEXT)
    assert (entry.source, entry.line) == ("a.txt", 1)


def test_a_name_that_cannot_be_printed_is_escaped(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b.txt")
    (source,) = open_sources([file(Path(path), b"1\n")], NO_STDIN)
    assert source.name.endswith("\\udcff\\x1b.txt")
    assert ids_of(source) == ["1"]


def test_the_suffix_tells_the_format_unless_the_settings_do(tmp_path: Path) -> None:
    (source,) = open_sources([file(tmp_path / "a.csv", b"n,FlowId\nx,1\n")], NO_STDIN)
    assert ids_of(source) == ["1"]
    assert ids_of(source, InputSettings(format=Format.TEXT)) == ["invalid", "invalid"]


def test_a_file_that_vanished_after_the_check_is_an_input_error(tmp_path: Path) -> None:
    (source,) = open_sources([file(tmp_path / "a.txt", b"1\n")], NO_STDIN)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(InputError, match=r"a\.txt: cannot be opened"):
        ids_of(source)


# --- what is known of a file before its ids are read


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"1\n2\n\0\n", "has a NUL byte at offset 4"),
        (b"1\n" * 700_000 + b"\0", "has a NUL byte at offset 1400000"),
        (
            b"SQLite format 3\0" + bytes(84),
            "is an SQLite database: if it is a checkpoint, name it as the checkpoint",
        ),
    ],
)
def test_a_file_that_is_no_text_is_refused_when_it_is_opened_wherever_it_shows(
    tmp_path: Path, content: bytes, says: str
) -> None:
    good, bad = file(tmp_path / "good.txt", b"1\n"), file(tmp_path / "bad.txt", content)
    os.mkfifo(tmp_path / "fifo")
    before = descriptors()
    with pytest.raises(InputError, match=f"bad.txt: {says}"):
        open_sources([good, str(tmp_path / "fifo"), bad], NO_STDIN)
    assert descriptors() == before
    fd = os.open(bad, os.O_RDONLY)
    with pytest.raises(InputError, match=f"-: {says}"):
        open_sources(["-"], fd)
    os.close(fd)


def test_a_nul_byte_in_a_pipe_is_an_error_when_it_comes_and_what_came_before_stays(pipe: Pipe) -> None:
    calls: list[int] = []

    def wait(fd: int) -> None:
        pipe.write((b"1\n2\n", b"3\n\0\n4\n")[len(calls)])
        calls.append(fd)

    got: list[AnyEntry] = []
    with pytest.raises(InputError, match="-: has a NUL byte at offset 6"):
        got.extend(read_entries(pipe.sources[0], TEXT, wait))
    assert [entry.line for entry in got] == [1, 2]


# --- reading in the calling thread


def test_a_file_on_standard_input_is_read_from_where_it_stands_as_often_as_wanted(tmp_path: Path) -> None:
    fd = os.open(file(tmp_path / "a.txt", b"0\n1\n2\n"), os.O_RDONLY)
    os.read(fd, 2)
    (source,) = open_sources(["-"], fd)
    assert source.rereadable
    assert [ids_of(source), ids_of(source)] == [["1", "2"], ["1", "2"]]
    os.close(fd)  # ours: it was left open


def test_a_pipe_is_read_once(pipe: Pipe) -> None:
    pipe.write(b"1\n2")
    pipe.end()
    (source,) = pipe.sources
    assert not source.rereadable
    assert ids_of(source) == ["1", "2"]
    with pytest.raises(InputError, match="only once"):
        ids_of(source)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that opens but does not read is Linux's")
def test_a_file_that_fails_while_it_is_read_is_an_input_error() -> None:
    with pytest.raises(InputError, match="/proc/self/mem: cannot be read: Input/output error"):
        open_sources(["/proc/self/mem"], NO_STDIN)


def test_a_pipe_by_its_path_is_kept_from_the_check_to_its_end(pipe: Pipe) -> None:
    path = f"/dev/fd/{pipe.read_fd}"
    before = descriptors()
    (source,) = open_sources([path], NO_STDIN)
    pipe.write(b"1\n")
    pipe.end()
    assert ids_of(source) == ["1"]
    assert len(descriptors()) == len(before) - 1  # the writing end
    assert source.name == path


def test_a_named_pipe_waits_for_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    (source,) = open_sources([path], NO_STDIN)  # does not wait
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.extend(ids_of(source)))
    reader.start()
    path.write_bytes(b"1\n2\n")
    reader.join()
    assert got == ["1", "2"]


def test_a_pipe_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.read_fd, False)
    calls: list[int] = []

    def impatient(fd: int) -> None:
        calls.append(fd)
        if len(calls) == 2:
            pipe.write(b"1\n")
            pipe.end()

    assert len(list(read_entries(pipe.sources[0], TEXT, impatient))) == 1
    assert len(calls) == 3  # nothing there, the id, the end


# --- reading in a thread


async def test_sources_are_delivered_in_order_and_in_batches(tmp_path: Path, pipe: Pipe) -> None:
    one = file(tmp_path / "a.txt", b"".join(b"a%d\n" % i for i in range(5)))
    two = file(tmp_path / "b.csv", b"FlowId\nb0\nb 1\n")
    pipe.write(b"p0\n")
    pipe.end()
    keeper = Keeper()
    await FilesProducer(open_sources([one, "-", two], pipe.read_fd), TEXT, keeper.deliver, batch_size=2).run()
    assert keeper.batches == [["a0", "a1"], ["a2", "a3"], ["a4"], ["p0"], ["b0", "invalid"]]


async def test_a_file_of_many_chunks_is_delivered_whole_in_full_batches(tmp_path: Path) -> None:
    ids = [f"{i:018d}" for i in range(20_000)]
    path = file(tmp_path / "a.txt", "\n".join(ids).encode())
    keeper = Keeper()
    await FilesProducer(open_sources([path], NO_STDIN), TEXT, keeper.deliver).run()
    assert [len(batch) for batch in keeper.batches] == [1000] * 20
    assert keeper.ids == ids


async def test_no_sources_end_at_once() -> None:
    keeper = Keeper()
    await FilesProducer([], TEXT, keeper.deliver).run()
    assert keeper.batches == []


async def test_an_id_is_delivered_while_its_pipe_stays_open(pipe: Pipe) -> None:
    keeper = Keeper()
    run = asyncio.create_task(FilesProducer(pipe.sources, TEXT, keeper.deliver).run())
    pipe.write(b"1\n2")
    await keeper.until("1")
    pipe.write(b"2\n3\n")
    await keeper.until("1", "22", "3")
    pipe.write(b"4")
    pipe.end()
    await run
    assert keeper.ids == ["1", "22", "3", "4"]


async def test_stop_ends_a_run_whose_pipe_is_silent_and_drops_the_unfinished_line(pipe: Pipe) -> None:
    keeper = Keeper()
    producer = FilesProducer(pipe.sources, TEXT, keeper.deliver)
    run = asyncio.create_task(producer.run())
    pipe.write(b"1\n12345")
    await keeper.until("1")
    producer.stop()
    await run
    producer.stop()  # again, after the end: harmless
    assert keeper.ids == ["1"]
    await no_reading_thread()


async def test_stop_before_the_run_reads_nothing(pipe: Pipe, tmp_path: Path) -> None:
    keeper = Keeper()
    sources = [*open_sources([file(tmp_path / "a.txt", b"1\n")], NO_STDIN), *pipe.sources]
    producer = FilesProducer(sources, TEXT, keeper.deliver)
    producer.stop()
    await producer.run()
    assert keeper.ids == []


async def test_stop_keeps_what_was_read_of_a_pipe(pipe: Pipe) -> None:
    keeper = Keeper()
    keeper.gate.clear()
    producer = FilesProducer(pipe.sources, TEXT, keeper.deliver, batch_size=1)
    run = asyncio.create_task(producer.run())
    pipe.write(b"1\n2\n3\n")
    await keeper.until("1")
    producer.stop()
    pipe.write(b"4\n")
    keeper.gate.set()
    await run
    assert keeper.ids == ["1", "2", "3"]
    assert pipe.unread() == 2


async def test_nothing_is_read_while_a_delivery_waits(pipe: Pipe) -> None:
    keeper = Keeper()
    keeper.gate.clear()
    run = asyncio.create_task(FilesProducer(pipe.sources, TEXT, keeper.deliver, batch_size=1).run())
    pipe.write(b"1\n2\n")
    await keeper.until("1")
    pipe.write(b"3\n4\n5\n")
    for _ in range(100):
        await asyncio.sleep(0)
    assert keeper.ids == ["1"]
    assert pipe.unread() == 6
    keeper.gate.set()
    await keeper.until("1", "2")
    pipe.end()
    await run


async def test_an_error_of_the_delivery_is_the_runs_error_and_ends_the_thread(pipe: Pipe) -> None:
    error = OSError("disk full")
    keeper = Keeper(error)
    run = asyncio.create_task(FilesProducer(pipe.sources, TEXT, keeper.deliver, batch_size=1).run())
    pipe.write(b"1\n2\n")
    with pytest.raises(OSError, match="disk full") as caught:
        await run
    assert caught.value is error
    assert keeper.ids == ["1"]
    await no_reading_thread()


async def test_broken_input_is_the_runs_error_after_what_came_before_it(tmp_path: Path) -> None:
    one = file(tmp_path / "a.json", b"[1, 2, x]")
    two = file(tmp_path / "b.txt", b"3\n")
    keeper = Keeper()
    with pytest.raises(InputError, match=r"a\.json: broken JSON"):
        await FilesProducer(open_sources([one, two], NO_STDIN), TEXT, keeper.deliver).run()
    assert keeper.ids == ["1", "2"]


@pytest.mark.parametrize("name", ["a.csv", "a"])
async def test_an_unclosed_quotation_mark_in_a_file_comes_out_before_anything_is_delivered(
    tmp_path: Path, name: str
) -> None:
    good = file(tmp_path / "good.txt", b"1\n")
    bad = file(tmp_path / name, b'FlowId,Name\n2,x\n3,"y\n4,z\n')
    keeper = Keeper()
    sources = open_sources([good, bad], NO_STDIN)
    with pytest.raises(InputError, match="lines 3 to 4, 2 lines, were not read as ids"):
        await FilesProducer(sources, TEXT, keeper.deliver).run()
    assert keeper.ids == []


async def test_an_odd_number_of_quotation_marks_that_is_no_fault_is_read_once_over(tmp_path: Path) -> None:
    path = file(tmp_path / "a.csv", b'FlowId,Name\n2,5" pipe\n')
    keeper = Keeper()
    (source,) = open_sources([path], NO_STDIN)
    assert source.odd_quotes
    await FilesProducer([source], TEXT, keeper.deliver).run()
    assert keeper.ids == ["2"]


async def test_cancelling_the_run_cancels_the_delivery_and_ends_the_thread(pipe: Pipe) -> None:
    keeper = Keeper()
    keeper.gate.clear()
    run = asyncio.create_task(FilesProducer(pipe.sources, TEXT, keeper.deliver, batch_size=1).run())
    pipe.write(b"1\n2\n")
    await keeper.until("1")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await no_reading_thread()
    assert keeper.ids == ["1"]


async def test_the_run_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    fifos = [tmp_path / "one", tmp_path / "two"]
    for fifo in fifos:
        os.mkfifo(fifo)
    before = descriptors()
    producer = FilesProducer(open_sources(fifos, NO_STDIN), TEXT, Keeper().deliver)
    run = asyncio.create_task(producer.run())
    await asyncio.sleep(0)
    producer.stop()
    await run
    assert descriptors() == before


async def test_a_writer_in_another_process_is_read_to_its_end(tmp_path: Path) -> None:
    script = "import sys\nfor i in range(50_000): print(i)"
    writer = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=(ends := os.pipe())[1])
    os.close(ends[1])
    keeper = Keeper()
    await FilesProducer(open_sources(["-"], ends[0]), TEXT, keeper.deliver).run()
    assert await writer.wait() == 0
    assert keeper.ids == [str(i) for i in range(50_000)]
    os.close(ends[0])
