"""A run calls what its input lists and nothing else, and stops where nothing of it is there."""

import json
import subprocess
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, wait_for
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

LEFT_ALONE = (
    "2 unfinished flows of earlier inputs are not in this input and were left alone;"
    " flowreaper delete -c flows.txt.ckpt takes everything that is unfinished"
)


@pytest.fixture
def edited(command: Command, ids: Ids) -> tuple[list[str], list[str]]:
    """A job of which one flow is done, and whose input lost two others since; what is listed, what is not."""
    flows = ids(6)
    command.write("flows.txt", *flows)
    assert command.delete("--limit", "1", "--concurrency", "1", "flows.txt").status == 4
    command.write("flows.txt", *flows[:4])
    return flows[:4], flows[4:]


def test_flows_that_were_taken_out_of_the_input_are_left_alone_and_counted(
    command: Command, service: Service, edited: tuple[list[str], list[str]]
) -> None:
    listed, taken_out = edited
    finished = command.delete("flows.txt")
    assert finished.status == 0
    assert sorted(service.called([*listed, *taken_out])) == listed
    # At the start and at the end.
    assert finished.told.count(f"  {LEFT_ALONE}") == 1
    assert finished.told.count(LEFT_ALONE) == 1
    assert "To go on" not in finished.err
    again = command.delete("flows.txt")  # its content is known now; that must not list what it does not hold
    assert again.status == 0
    assert sorted(service.called([*listed, *taken_out])) == listed
    assert command.delete("-c", "flows.txt.ckpt").status == 0
    assert sorted(service.called([*listed, *taken_out])) == [*listed, *taken_out]


def test_what_is_left_alone_is_said_in_events_and_in_a_dry_run_too(
    command: Command, edited: tuple[list[str], list[str]]
) -> None:
    assert edited
    planned = command.run("delete", "--dry-run", "flows.txt")
    assert f"  {LEFT_ALONE}" in planned.told
    events = {event["event"]: event for event in command.delete("--log-format", "json", "flows.txt").events}
    assert [events[name]["unlisted"] for name in ("run.started", "input.read", "run.ended")] == [2, 2, 2]
    assert events["run.started"]["to_call"] == 3


def test_an_input_that_is_too_large_to_be_counted_first_says_it_when_it_is_read(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(15_000)
    command.write("flows.txt", *flows)
    assert command.delete("--limit", "1", "--concurrency", "1", "flows.txt").status == 4
    command.write("flows.txt", *flows[:10], *flows[12:])
    with command.flowreaper("delete", "--yes", "--rate", "50", "flows.txt") as process:
        assert process.stderr
        told = ""
        while LEFT_ALONE not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        process.terminate()
        ended(process)
    assert "Input:       flows.txt: 200 known so far" in told
    assert "Input read: 14,997 flows to delete, 5 min, until" in told
    assert not service.called(flows[10:12])


def test_a_pipe_into_an_old_checkpoint_calls_only_what_the_pipe_brings(
    command: Command, service: Service, ids: Ids
) -> None:
    old, new = ids(3), ids(2)
    command.delete("-c", "job.ckpt", "--limit", "1", "--concurrency", "1", "-", stdin="\n".join(old))
    finished = command.delete("-c", "job.ckpt", "-", stdin="\n".join([*new, old[2]]))
    assert finished.status == 0
    assert sorted(service.called([*old, *new])) == sorted([old[0], old[2], *new])
    assert "1 unfinished flow of earlier inputs is not in this input" in finished.err


def test_a_flow_that_a_crash_left_claimed_is_not_called_where_the_input_does_not_list_it(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin("--trouble", "hang-after:#1")
    flows = ids(2)
    command.write("flows.txt", flows[0])
    with command.flowreaper("delete", "--yes", "flows.txt") as process:
        wait_for(lambda: service.called(flows) == flows[:1])
        process.kill()
        process.wait()
    command.write("flows.txt", flows[1])
    assert command.delete("flows.txt").status == 0
    assert service.called(flows) == flows
    states = {flow: record["state"] for flow, record in command.results("flows.txt.ckpt").items()}
    assert states == {flows[0]: "claimed", flows[1]: "deleted"}
    assert command.delete("-c", "flows.txt.ckpt").status == 0
    record = command.results("flows.txt.ckpt")[flows[0]]
    assert (record["state"], record["inferred"]) == ("deleted", True)


def test_retry_takes_only_listed_flows_again_and_a_code_narrows_it(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "ok-with-error-code:#1-3,deny:#7")
    flows = ids(3)
    command.write("flows.txt", *flows)
    assert command.delete("flows.txt").status == 1
    command.write("flows.txt", *flows[:2])
    assert command.delete("--retry-code", "Another.Code", "flows.txt").status == 1
    assert len(service.called(flows)) == 3
    assert command.delete("--retry-code", "Flow.Locked", "flows.txt").status == 1
    assert sorted(service.called(flows)) == sorted([*flows, *flows[:2]])
    assert command.states("flows.txt.ckpt") == {"deleted": 2, "refused": 1}
    assert (
        command.delete("--retry", "gave_up", "--retry-code", "Flow.Locked", "-c", "flows.txt.ckpt").status
        == 1
    )
    assert command.delete("--retry-code", "Flow.Locked", "-c", "flows.txt.ckpt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 3}


# --- standard input


def test_a_shell_loop_over_checkpoints_does_not_send_their_names(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(4)
    for name, pair in (("a1.ckpt", flows[:2]), ("b2.ckpt", flows[2:])):
        assert command.delete("-c", name, "--limit", "1", "-", stdin="\n".join(pair)).status == 4
    command.write("list", "a1.ckpt", "b2.ckpt", "missing3.ckpt")
    loop = "while read f; do python -m flowreaper delete --yes --rate 500 -c $f; done < list"
    finished = command.shell(loop)
    assert "there is no checkpoint missing3.ckpt" in finished.err
    assert "to begin a new one with ids from standard input, add -" in finished.err
    assert sorted(service.called(flows)) == flows
    assert service.called(["a1.ckpt", "b2.ckpt", "missing3.ckpt"]) == []
    assert not (command.folder / "missing3.ckpt").exists()


def test_with_a_checkpoint_a_pipe_that_never_ends_is_not_waited_for(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(2)
    command.delete("-c", "job.ckpt", "--limit", "1", "-", stdin="\n".join(flows))
    with command.flowreaper("delete", "--yes", "-c", "job.ckpt", stdin=subprocess.PIPE) as process:
        assert process.wait(20) == 0
    assert sorted(service.called(flows)) == flows


# --- nothing is there


@pytest.fixture
def elsewhere(begin: Begin, bare: Command, ids: Ids) -> tuple[Service, Command, list[str]]:
    """A service that knows none of these flows: another account's."""
    bare.write("known.txt", *ids(1))
    service, command = begin("--known", "known.txt")
    flows = ids(70)
    command.write("flows.txt", *flows)
    return service, command, flows


def test_a_job_in_the_wrong_account_stops_and_its_flows_are_called_again_without_being_named(
    elsewhere: tuple[Service, Command, list[str]],
) -> None:
    service, command, flows = elsewhere
    finished = command.delete("flows.txt")
    assert finished.status == 3
    assert "50 flows in a row do not exist, and this job has not deleted a single one yet" in finished.err
    assert "--max-consecutive-absent 0" in finished.err
    assert command.states("flows.txt.ckpt") == {"pending": 70}
    first = set(service.called(flows))
    assert len(first) >= 50
    on = command.delete("--max-consecutive-absent", "0", "flows.txt")
    assert on.status == 0
    assert set(service.called(flows)) == set(flows)
    assert command.states("flows.txt.ckpt") == {"absent": 70}
    # Whether it stopped or not, a run that found nothing says what to check.
    assert (
        "Every flow of this run was absent, and this job has deleted none. Check that the access key"
        in on.err
    )


def test_short_runs_in_the_wrong_account_stop_together(elsewhere: tuple[Service, Command, list[str]]) -> None:
    _, command, _ = elsewhere
    statuses = [command.delete("--limit", "20", "flows.txt").status for _ in range(3)]
    assert statuses == [4, 4, 3]
    assert command.states("flows.txt.ckpt") == {"pending": 70}


def test_what_was_accepted_as_absent_does_not_stop_a_later_run(
    elsewhere: tuple[Service, Command, list[str]],
) -> None:
    _, command, flows = elsewhere
    command.write("flows.txt", *flows[:65])
    assert command.delete("--max-consecutive-absent", "0", "flows.txt").status == 0
    command.write("flows.txt", *flows)
    assert command.delete("flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"absent": 70}


def test_a_few_flows_in_the_wrong_account_are_remarked_upon(
    elsewhere: tuple[Service, Command, list[str]],
) -> None:
    _, command, flows = elsewhere
    command.write("flows.txt", *flows[:3])
    finished = command.delete("flows.txt")
    assert finished.status == 0
    assert "Every flow of this run was absent" in finished.err
    assert "--retry absent" in finished.err


def test_the_brake_is_in_the_events_too(elsewhere: tuple[Service, Command, list[str]]) -> None:
    _, command, _ = elsewhere
    finished = command.delete("--log-format", "json", "--max-consecutive-absent", "5", "flows.txt")
    assert finished.status == 3
    end = finished.events[-1]
    assert (end["event"], end["absent"], end["pending"]) == ("run.ended", 0, 70)
    assert "5 flows in a row do not exist" in end["error"]


# --- the start


def test_every_start_says_where_with_which_key_what_and_until_when(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    for words in (("--yes",), ("--dry-run",)):
        told = command.run("delete", *words, "--rate", "500", "flows.txt").told
        for label in ("Endpoint:", "Access key:", "Checkpoint:", "Input:", "Rate:", "Expected:"):
            assert sum(line.startswith(f"  {label}") for line in told) == 1, (words, label)
        assert "  Access key:  LTAI****0001, from the environment" in told
    with Terminal(command, "delete", "flows.txt") as terminal:
        assert terminal.wait() == 0  # nothing is left
        assert "Access key:  LTAI****0001, from the environment" in terminal.shown


def test_a_dry_run_needs_no_key_but_says_that_there_is_none(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(3))
    finished = bare.run("delete", "--dry-run", "flows.txt")
    assert finished.status == 0
    assert "  Access key:  none found" in finished.told


def test_text_is_the_format_off_a_terminal_too_and_json_is_nothing_but_json(
    command: Command, ids: Ids
) -> None:
    command.write("flows.txt", *ids(3))
    text = command.delete("flows.txt")
    assert text.events == []
    assert text.err.count("This run: ") == 1
    events = command.delete("--log-format", "json", "flows.txt")
    assert events.told == []
    assert [e["event"] for e in events.events if e["event"].startswith("run.")] == [
        "run.started",
        "run.ended",
    ]


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("--log-format", "json", "--no-such-option"), {}),
        (("--log-format=json", "--rate", "abc"), {}),
        (("--no-such-option",), {"FLOWREAPER_DELETE_LOG_FORMAT": "json"}),
        (("--log-format", "json", "missing.txt"), {}),
        (("--log-format", "json", "-c", "letter.txt", "flows.txt"), {}),
        (("--log-format", "json", "-c", "no/such/folder/x.ckpt", "flows.txt"), {}),
    ],
)
def test_errors_are_json_too_and_nothing_has_started(
    command: Command, ids: Ids, words: tuple[str, ...], env: dict[str, str]
) -> None:
    command.write("flows.txt", *ids(1))
    command.write("letter.txt", "Dear reader,")
    finished = command.run("delete", "--yes", *words, env=env)
    assert finished.status == 2
    (event,) = [json.loads(line) for line in finished.err.splitlines()]
    assert (event["event"], event["exit_status"], bool(event["error"])) == ("run.refused", 2, True)
