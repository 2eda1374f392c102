"""``delete --results`` with what is no plain file: pipes, descriptors, terminals."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, Service, ended
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]


@pytest.fixture
def out(command: Command) -> Path:
    return command.folder / "out.jsonl"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_named_pipe_without_a_reader_is_left_at_a_signal_and_nothing_is_sent(
    command: Command, service: Service, ids: Ids, number: int, status: int
) -> None:
    flows = ids(1)
    command.write("flows.txt", *flows)
    os.mkfifo(command.folder / "pipe")
    with command.flowreaper("delete", "--yes", "--results", "pipe", "flows.txt") as process:
        assert process.stderr
        try:
            said = ""
            while "Waiting for a reader of the named pipe pipe" not in said:
                said = process.stderr.readline()
                assert said
            process.send_signal(number)
            assert process.wait(10) == status
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()
    assert service.called(flows) == []


def test_a_named_pipe_gets_the_outcomes_once_it_has_a_reader(command: Command, ids: Ids) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    os.mkfifo(command.folder / "pipe")
    with command.flowreaper("delete", "--yes", "--results", "pipe", "flows.txt") as process:
        read = command.finish("cat", "pipe")
        assert ended(process).status == 0
    assert [record["flow_id"] for record in read.records] == flows


@pytest.mark.parametrize("target", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_name_of_standard_output_stands_for_it(command: Command, ids: Ids, target: str) -> None:
    flows = ids(2)
    finished = command.delete("-c", "job.ckpt", "--results", target, "-", stdin="\n".join(flows))
    assert finished.status == 0
    assert [record["flow_id"] for record in finished.records] == flows


def test_a_descriptor_of_the_shell_gets_the_outcomes(command: Command, ids: Ids, out: Path) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    line = "flowreaper delete --yes --rate 500 --results /dev/fd/3 flows.txt"
    assert command.shell(f"{line} 3>>out.jsonl").status == 0
    assert [json.loads(line)["flow_id"] for line in out.read_text().splitlines()] == flows
    refused = command.shell(line)
    assert (refused.status, "/dev/fd/3: Bad file descriptor" in refused.err) == (2, True)
    refused = command.shell(f"{line} 3<out.jsonl")
    assert (refused.status, "open for reading only" in refused.err) == (2, True)


def test_a_terminal_can_get_the_outcomes(command: Command, ids: Ids) -> None:
    (flow,) = ids(1)
    command.write("flows.txt", flow)
    with Terminal(command, "delete", "--yes", "--results", "/dev/tty", "flows.txt") as terminal:
        assert terminal.wait() == 0
        assert f'"flow_id": "{flow}"' in terminal.shown
