"""Standard streams that are full, closed or read no more: the exit status stays true, and no traceback is shown."""

import shlex
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.end_to_end.command import FLOWREAPER, Command, Service

Ids = Callable[[int], list[str]]

WRITES = [
    ("--help",),
    ("--version",),
    ("delete", "--help"),
    ("status", "flows.txt.ckpt"),
    ("status", "--json", "flows.txt.ckpt"),
    ("results", "flows.txt.ckpt"),
    ("results", "--format", "csv", "flows.txt.ckpt"),
]


@pytest.fixture(scope="module")
def made(begin_once: Callable[..., tuple[Service, Command]], ids: Ids) -> Command:
    _, command = begin_once()
    command.write("flows.txt", *ids(3))
    command.delete("flows.txt")
    return command


@pytest.fixture
def job(made: Command, copied: Callable[[Command], Command]) -> Command:
    """A finished job of three flows."""
    return copied(made)


def line(words: tuple[str, ...]) -> str:
    return shlex.join([*FLOWREAPER, *words])


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_a_full_standard_output_is_told_and_is_no_success(
    job: Command, words: tuple[str, ...], unbuffered: str
) -> None:
    finished = job.shell(f"PYTHONUNBUFFERED={unbuffered} {line(words)} >/dev/full")
    assert finished.status == 3
    (told,) = finished.told
    assert told.startswith("Error: ")
    assert "No space left on device" in told
    assert "standard output" in told or unbuffered


@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_a_reader_of_standard_output_that_goes_away_is_told_nothing(
    job: Command, words: tuple[str, ...]
) -> None:
    # The reader is gone before the command begins to write.
    with job.start("sh", "-c", f"read go; {line(words)}", stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write("go\n")
        process.stdin.close()
        assert process.stderr.read() == ""
        # What click writes before a command is invoked ends with its own status.
        assert process.wait() == (1 if words[0].startswith("-") else 128 + signal.SIGPIPE)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("status", "flows.txt.ckpt"), 0),
        (("delete", "--yes", "--rate", "500", "-c", "again.ckpt", "flows.txt"), 0),
        (("nonsense",), 2),
        (("delete", "--rate", "fast", "flows.txt"), 2),
        (("delete", "nowhere.txt"), 2),
        (("status", "nowhere.ckpt"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_a_standard_error_that_takes_nothing_leaves_the_exit_status_as_it_is(
    job: Command, words: tuple[str, ...], status: int, where: str
) -> None:
    assert job.shell(f"{line(words)} {where}").status == status


def test_a_results_file_on_a_full_disk_is_named(job: Command) -> None:
    job.write(
        "small.sh", f'ulimit -f 1; trap "" XFSZ; exec {line(("results", "-o", "out.jsonl", "many.ckpt"))}'
    )
    job.write("many.txt", *(f"two words {number}" for number in range(5000)))
    job.delete("-c", "many.ckpt", "--log-level", "error", "many.txt")
    finished = job.finish("sh", "small.sh")
    assert finished.status == 3
    (told,) = finished.told
    assert told.startswith(
        "Error: cannot write to out.jsonl: File too large. What was written is not all of it"
    )
