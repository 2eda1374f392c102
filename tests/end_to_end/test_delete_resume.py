"""Cut and go on: signals, kill -9, limits, retries; judged by the sandbox's ledger."""

import json
import random
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def cut(command: Command, service: Service, flows: list[str], number: signal.Signals) -> int:
    """Run, send a signal at a random moment before the end, and return the exit status."""
    before = len(service.called(flows))
    moment = before + random.randint(0, max(0, len(flows) - before - 10))  # noqa: S311 -- any moment will do
    with command.flowreaper("delete", "--yes", "--rate", "100", "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) > moment)
        process.send_signal(number)
        return ended(process).status


@pytest.mark.parametrize("attempt", range(2))
def test_after_ctrl_c_at_a_random_moment_no_finished_flow_is_called_again(
    command: Command, service: Service, ids: Ids, attempt: int
) -> None:
    flows = ids(60)
    command.write("flows.txt", *flows)
    assert cut(command, service, flows, signal.SIGINT) == 130
    states = command.states("flows.txt.ckpt")
    assert states["pending"] > 0
    assert states["deleted"] == 60 - states["pending"] == len(service.called(flows))
    assert command.delete("flows.txt").status == 0
    assert Counter(service.called(flows)) == Counter(flows)
    assert command.states("flows.txt.ckpt") == {"deleted": 60}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_signal_of_another_kind_exits_with_143_and_loses_nothing(
    command: Command, service: Service, ids: Ids, number: signal.Signals
) -> None:
    flows = ids(60)
    command.write("flows.txt", *flows)
    assert cut(command, service, flows, number) == 143
    assert command.delete("flows.txt").status == 0
    assert Counter(service.called(flows)) == Counter(flows)


def test_after_three_kills_every_flow_has_exactly_one_outcome(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(80)
    command.write("flows.txt", *flows)
    shown: set[str] = set()
    for _ in range(3):
        before = Counter(service.called(list(shown)))
        assert cut(command, service, flows, signal.SIGKILL) == -signal.SIGKILL
        assert Counter(service.called(list(shown))) == before, (
            "a flow that was shown as final was called again"
        )
        shown = {f for f, r in command.results("flows.txt.ckpt").items() if r["state"] == "deleted"}
    assert command.delete("flows.txt").status == 0
    records = command.results("flows.txt.ckpt")
    assert sorted(records) == flows
    assert {record["state"] for record in records.values()} == {"deleted"}
    again = {flow for flow, count in Counter(service.called(flows)).items() if count > 1}
    assert again == {flow for flow, record in records.items() if record["inferred"]}


def test_a_second_ctrl_c_leaves_at_once_and_the_flow_stays_in_doubt(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "hang-after:#1")
    flows = ids(1)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "--yes", "flows.txt") as process:
        assert process.stderr
        wait_for(lambda: service.called(flows) == flows)
        process.send_signal(signal.SIGINT)
        while not process.stderr.readline().startswith("Stopping after the call in progress"):
            pass
        process.send_signal(signal.SIGINT)
        assert ended(process).status == 130
    assert command.states("flows.txt.ckpt") == {"claimed": 1}
    assert command.delete("flows.txt").status == 0
    (record,) = command.results("flows.txt.ckpt").values()
    assert (record["state"], record["inferred"], record["code"]) == ("deleted", True, "Flow.NotExist")


def test_one_ctrl_c_after_a_lost_answer_does_not_say_that_nothing_is_lost(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "reset-after:1")
    flows = ids(1)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "--yes", "flows.txt") as process:
        wait_for(lambda: bool(service.called(flows)))
        process.send_signal(signal.SIGINT)
        finished = ended(process)
    assert "Interrupted; no outcome is lost." not in finished.told
    assert "Checkpoint: flows.txt.ckpt, 1 left to do, 1 of them in doubt" in finished.told
    (record,) = command.results("flows.txt.ckpt").values()
    assert (record["state"], record["in_doubt"]) == ("pending", True)


def test_ctrl_c_waits_for_the_calls_under_way(begin: Begin, ids: Ids) -> None:
    service, command = begin("--latency", "0.5")
    flows = ids(3)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "--yes", "--rate", "500", "flows.txt") as process:
        wait_for(lambda: service.called(flows) == flows)
        process.send_signal(signal.SIGINT)
        assert ended(process).status == 130
    assert command.states("flows.txt.ckpt") == {"deleted": 3}


@pytest.mark.parametrize("apart_s", [0.0, 0.003, 0.1])
@pytest.mark.parametrize(
    "pair",
    [(signal.SIGTERM, signal.SIGHUP), (signal.SIGHUP, signal.SIGTERM), (signal.SIGHUP, signal.SIGHUP)],
    ids=["as systemd sends them", "as they are delivered", "as a shell sends them"],
)
def test_two_signals_of_one_event_wait_for_the_calls_under_way(
    begin: Begin, ids: Ids, pair: tuple[signal.Signals, signal.Signals], apart_s: float
) -> None:
    service, command = begin("--latency", "0.5")
    flows = ids(3)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "--yes", "--rate", "500", "flows.txt") as process:
        wait_for(lambda: service.called(flows) == flows)
        for number in pair:
            process.send_signal(number)
            time.sleep(apart_s)
        finished = ended(process)
    assert finished.status == 143
    assert "Stopping after the 3 calls in progress. Press Ctrl-C again to quit now." in finished.told
    assert command.states("flows.txt.ckpt") == {"deleted": 3}


def test_a_finished_job_run_again_makes_no_calls(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(5)
    command.write("flows.txt", *flows)
    command.delete("flows.txt")
    finished = command.delete("flows.txt")
    assert finished.status == 0
    assert sorted(service.called(flows)) == flows
    assert "0 calls" in finished.err
    assert "All runs: 5 deleted" in finished.told


def test_ids_that_were_added_to_the_input_are_called_and_no_others(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(6)
    command.write("flows.txt", *flows[3:])
    command.delete("flows.txt")
    command.write("flows.txt", *flows)
    assert command.delete("flows.txt").status == 0
    assert service.called(flows)[3:] == flows[:3]
    assert sorted(service.called(flows)) == flows


def test_limit_ends_the_run_after_so_many_flows(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(7)
    command.write("flows.txt", *flows)
    for expected in (3, 6, 7):
        finished = command.delete("--limit", "3", "flows.txt")
        assert finished.status == (4 if expected < 7 else 0)
        assert len(service.called(flows)) == expected
        assert ("To go on: " in finished.err) == (expected < 7)
    assert sorted(service.called(flows)) == flows


def test_refused_flows_are_called_again_only_when_retry_names_their_state(begin: Begin, ids: Ids) -> None:
    flows = ids(2)
    own = begin("--trouble", "ok-with-error-code:#1-2")
    service, command = own
    command.write("flows.txt", *flows)
    assert command.delete("flows.txt").status == 1
    assert command.states("flows.txt.ckpt") == {"refused": 2}
    for state in ("absent", "gave_up"):
        assert command.delete("--retry", state, "flows.txt").status == 1
    assert len(service.called(flows)) == 2
    assert command.delete("--retry", "refused", "-c", "flows.txt.ckpt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 2}
    assert Counter(service.called(flows)) == Counter(flows * 2)


def test_flows_that_gave_up_can_be_taken_again(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "error-500:#1")
    command.write("flows.txt", *ids(1))
    assert command.delete("--max-attempts", "1", "flows.txt").status == 1
    assert command.states("flows.txt.ckpt") == {"gave_up": 1}
    assert command.delete("--retry", "gave_up", "flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 1}


def test_the_resume_command_typed_into_a_shell_finishes_the_job(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(60)
    name = "my 'flows' & $HOME; é.txt"
    command.write(name, *flows)
    with command.flowreaper("delete", "-y", "--rate", "100", "-c", "-odd job.ckpt", "--", name) as process:
        wait_for(lambda: len(service.called(flows)) > 5)
        process.send_signal(signal.SIGINT)
        interrupted = ended(process)
    assert interrupted.status == 130
    assert command.shell(interrupted.resume).status == 0
    assert Counter(service.called(flows)) == Counter(flows)
    assert [path.name for path in command.folder.glob("*.ckpt")] == ["-odd job.ckpt"]


def test_the_resume_command_of_a_pipe_finishes_what_was_read_of_it(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "deny:#3")
    flows = ids(10)
    stopped = command.delete("--concurrency", "1", "-", stdin="".join(f"{flow}\n" for flow in flows))
    assert stopped.status == 3
    assert "pending" in command.states(next(command.folder.glob("*.ckpt")).name)
    assert "-" not in shlex.split(stopped.resume)
    assert command.shell(stopped.resume).status == 0
    assert Counter(service.called(flows)) == Counter([*flows, flows[2]])


def test_the_resume_command_does_not_retry_what_the_run_has_just_closed(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "ok-with-error-code:#1-")
    flows = ids(3)
    command.write("flows.txt", *flows)
    command.delete("flows.txt")
    limited = command.delete("--retry", "refused", "--limit", "1", "flows.txt")
    assert command.shell(limited.resume.replace("--limit 1", "")).status == 1
    assert Counter(service.called(flows)) == Counter(flows * 2)


def test_a_signal_that_is_ignored_stays_ignored_as_nohup_wants(begin: Begin, ids: Ids) -> None:
    service, command = begin("--latency", "0.2")
    flows = ids(5)
    command.write("flows.txt", *flows)
    ignoring = "trap '' HUP; exec \"$0\" -m flowreaper delete --yes --rate 500 --concurrency 1 flows.txt"
    with command.start("sh", "-c", ignoring, sys.executable) as process:
        wait_for(lambda: bool(service.called(flows)))
        process.send_signal(signal.SIGHUP)
        assert ended(process).status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 5}


def test_a_run_whose_results_nobody_reads_goes_on_and_two_signals_end_its_waiting(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin()
    flows = ids(1000)  # the pipe is full after some 200 outcomes
    command.write("flows.txt", *flows)
    options = ("--rate", "1000", "--results", "-", "--log-level", "error")
    with command.flowreaper("delete", "--yes", *options, "flows.txt") as process:
        assert process.stderr
        while "Waiting for the reader" not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (130, 143)
    assert len(service.called(flows)) == 1000
    assert command.states("flows.txt.ckpt") == {"deleted": 1000}


def test_results_that_are_read_late_are_whole(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    flows = ids(1000)
    command.write("flows.txt", *flows)
    options = ("--rate", "1000", "--results", "-", "--log-level", "error")
    with command.flowreaper("delete", "--yes", *options, "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) == 1000)
        assert process.stdout
        records = [json.loads(line) for line in process.stdout]
        assert process.wait(10) == 0
    assert sorted(record["flow_id"] for record in records) == sorted(flows)


def test_the_resume_command_of_a_pipe_and_a_file_takes_what_both_brought(begin: Begin, ids: Ids) -> None:
    _, command = begin()
    flows = ids(3)
    command.write("more.txt", *flows)
    finished = command.delete("--limit", "1", "-", "more.txt", stdin="")
    assert finished.status == 4
    # All was read, so the checkpoint holds it.
    assert "more.txt" not in finished.resume
    assert command.shell(finished.resume.replace("--limit 1", "")).status == 0
    checkpoint = next(command.folder.glob("*.ckpt")).name
    assert command.states(checkpoint) == {"deleted": 3}


def test_input_that_turns_out_broken_before_any_call_is_a_usage_error(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    flows = ids(1)
    command.write("flows.json", "oops", f'["{flows[0]}"]')
    assert command.delete("flows.json").status == 2
    assert service.called(flows) == []
