"""The question before anything is deleted, on a terminal of its own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, Service
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]

QUESTION = "Delete? [y/N] "


def test_the_question_shows_count_endpoint_masked_key_sample_and_time(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1200)
    command.write("flows.txt", *flows)
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for(QUESTION)
        assert "1,200 flows" in terminal.shown
        assert service.url in terminal.shown
        assert "LTAI****0001" in terminal.shown
        assert flows[0] in terminal.shown
        assert "4 min" in terminal.shown
        key = service.environment["ALIBABA_CLOUD_ACCESS_KEY_ID"]
        assert key not in terminal.shown


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04", "yes, please\n"])
def test_any_answer_but_yes_sends_nothing_and_leaves_nothing_behind(
    command: Command, service: Service, ids: Ids, answer: str
) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for(QUESTION)
        terminal.type(answer)
        assert terminal.wait() == 2
        assert "Nothing was sent." in terminal.shown
    assert service.called(flows) == []
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]


def test_one_ctrl_c_at_the_question_ends_the_command(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for(QUESTION)
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert "Traceback" not in terminal.shown
    assert service.called(flows) == []
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_the_answer_yes_runs_the_job(command: Command, service: Service, ids: Ids, answer: str) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for(QUESTION)
        terminal.type(answer)
        assert terminal.wait() == 0
    assert service.called(flows) == flows


def test_the_question_comes_on_the_terminal_when_all_streams_are_redirected(
    command: Command, service: Service, ids: Ids, tmp_path: Path
) -> None:
    (flow,) = ids(1)
    with (
        (tmp_path / "out").open("w") as out,
        (tmp_path / "err").open("w") as err,
        Terminal(command, "delete", "-", stdin=subprocess.PIPE, stdout=out, stderr=err) as terminal,
    ):
        assert terminal.process.stdin
        terminal.process.stdin.write(f"{flow}\n")
        terminal.process.stdin.close()
        terminal.wait_for(QUESTION)
        assert "the flows that come from the pipe" in terminal.shown
        assert service.called([flow]) == []
        terminal.type("y\n")
        assert terminal.wait() == 0
    assert service.called([flow]) == [flow]
    assert (tmp_path / "out").read_text() == ""
    assert "1 deleted" in (tmp_path / "err").read_text()


def test_without_a_terminal_to_ask_on_nothing_is_sent(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    finished = command.run("delete", "flows.txt")
    assert finished.status == 2
    assert "--dry-run" in finished.err
    assert "--yes" in finished.err
    assert service.called(flows) == []


def test_at_a_terminal_without_source_and_checkpoint_there_is_nothing_to_read(command: Command) -> None:
    with Terminal(command, "delete", "--yes") as terminal:
        assert terminal.wait() == 2
        assert "name a SOURCE" in terminal.shown


def test_at_a_terminal_without_a_source_the_checkpoints_unfinished_flows_are_taken(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    command.delete("-c", "job.ckpt", "--limit", "1", "flows.txt")
    with Terminal(command, "delete", "-c", "job.ckpt") as terminal:
        terminal.wait_for(QUESTION)
        assert "job.ckpt (1 done, 2 unfinished)" in terminal.shown
        terminal.type("y\n")
        assert terminal.wait() == 0
    assert sorted(service.called(flows)) == flows


def test_what_is_told_on_a_terminal_is_no_json(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(1))
    with Terminal(command, "delete", "--yes", "flows.txt") as terminal:
        assert terminal.wait() == 0
    assert "Checkpoint: " in terminal.shown
    assert "run.started" not in terminal.shown
    assert "{" not in terminal.shown


def test_where_nothing_is_left_to_do_nothing_is_asked(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    command.delete("flows.txt")
    with Terminal(command, "delete", "flows.txt") as terminal:
        assert terminal.wait() == 0
        assert "Nothing left to do." in terminal.shown
        assert QUESTION not in terminal.shown
    assert sorted(service.called(flows)) == flows


def test_the_question_shows_flows_that_are_left_and_none_that_are_finished(
    command: Command, ids: Ids
) -> None:
    flows = ids(4)
    command.write("flows.txt", *flows)
    command.delete("--limit", "2", "--concurrency", "1", "flows.txt")
    with Terminal(command, "delete", "flows.txt") as terminal:
        terminal.wait_for(QUESTION)
        assert all(flow in terminal.shown for flow in flows[2:])
        assert not any(flow in terminal.shown for flow in flows[:2])
