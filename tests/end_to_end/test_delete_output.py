"""What comes out: data on stdout, words on stderr, secrets nowhere."""

import json
import shlex
import signal
import stat
import subprocess
from collections.abc import Callable

import pytest

from flowreaper.model import Record
from tests.end_to_end.command import FLOWREAPER, Command, Finished, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

FIELDS = list(Record._fields)


def test_without_results_nothing_is_written_to_standard_output(command: Command, ids: Ids) -> None:
    finished = command.delete(stdin="\n".join(ids(3)))
    assert finished.out == ""
    assert "This run: 3 deleted; 3 calls" in finished.err


def test_results_to_a_dash_fill_standard_output_with_json_lines_alone(command: Command, ids: Ids) -> None:
    flows = ids(3)
    finished = command.delete("--results", "-", stdin="\n".join([*flows, "two words"]))
    assert finished.status == 1
    assert {record["flow_id"]: record["state"] for record in finished.records} == (
        dict.fromkeys(flows, "deleted") | {"two words": "invalid"}
    )
    assert all(list(record) == FIELDS for record in finished.records)


def test_each_outcome_is_streamed_while_the_run_goes_on(command: Command, ids: Ids) -> None:
    (flow,) = ids(1)
    with command.flowreaper("delete", "--yes", "--results", "-", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{flow}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["flow_id"] == flow
        assert process.poll() is None
        assert ended(process).status == 0


def test_a_results_file_is_private_and_later_runs_of_its_checkpoint_append_to_it(
    command: Command, ids: Ids
) -> None:
    flows = ids(4)
    arguments = ("--results", "out.jsonl", "-c", "job.ckpt", "-")
    for run in (flows[:2], flows[2:]):
        assert command.delete(*arguments, stdin="\n".join(run)).status == 0
    file = command.folder / "out.jsonl"
    assert [json.loads(line)["flow_id"] for line in file.read_text().splitlines()] == flows
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def _succeeds(command: Command, flows: list[str]) -> Finished:
    return command.delete("--log-format", "json", stdin="\n".join(flows))


def _is_denied(command: Command, flows: list[str]) -> Finished:
    wrong = {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not-the-secret"}
    return command.delete("--log-format", "json", stdin="\n".join(flows), env=wrong)


def _misses_its_input(command: Command, _flows: list[str]) -> Finished:
    return command.delete("--log-format", "json", "missing.txt")


def _has_no_credentials(command: Command, flows: list[str]) -> Finished:
    none = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}
    return command.delete("--log-format", "json", stdin="\n".join(flows), env=none)


@pytest.mark.parametrize(
    ("run", "status"), [(_succeeds, 0), (_is_denied, 3), (_misses_its_input, 2), (_has_no_credentials, 3)]
)
def test_with_log_format_json_every_line_on_stderr_is_json(
    command: Command, ids: Ids, run: Callable[[Command, list[str]], Finished], status: int
) -> None:
    finished = run(command, ids(2))
    assert finished.status == status
    assert finished.events
    assert finished.told == []
    if status:
        assert finished.events[-1]["error"]


def test_the_json_log_tells_checkpoint_counts_and_the_command_to_go_on(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    finished = command.delete("--log-format", "json", "--limit", "2", "flows.txt")
    end = finished.events[-1]
    assert (end["event"], end["deleted"], end["pending"]) == ("run.ended", 2, 1)
    assert end["checkpoint"] == "flows.txt.ckpt"
    assert command.shell(end["resume"]).status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 3}


def test_the_last_lines_name_the_checkpoint_and_the_command_to_go_on(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "deny:#2")
    command.write("flows.txt", *ids(3))
    for arguments, status in ((("--concurrency", "1"), 3), (("--limit", "1"), 4)):
        finished = command.delete(*arguments, "flows.txt")
        assert finished.status == status
        checkpoint, resume = finished.err.splitlines()[-2:]
        assert checkpoint.startswith("Checkpoint: flows.txt.ckpt, ")
        assert resume.startswith("To go on: flowreaper delete ")


def test_a_rate_above_the_documented_quota_is_warned_about_once(command: Command, ids: Ids) -> None:
    finished = command.delete("--log-format", "json", stdin="\n".join(ids(3)))
    warnings = [event for event in finished.events if event["level"] == "warning"]
    assert [(event["event"], event["rate"]) for event in warnings] == [("rate.above_documented_quota", 500)]


def test_a_reader_of_the_results_that_goes_away_loses_no_outcome(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(30)
    command.write("flows.txt", *flows)
    arguments = ("delete", "--yes", "--rate", "50", "--results", "-", "flows.txt")
    with command.flowreaper(*arguments) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        err = process.stderr.read()
        assert process.wait() == 0
    assert "Traceback" not in err
    assert "Nobody reads standard output any more" in err
    assert command.states("flows.txt.ckpt") == {"deleted": 30}
    assert service.called(flows) == flows


def test_a_reader_of_stderr_that_goes_away_loses_no_outcome(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(30))
    with command.flowreaper("delete", "--yes", "--rate", "50", "flows.txt") as process:
        assert process.stderr
        assert process.stderr.readline()
        process.stderr.close()
        assert process.wait() == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 30}


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_run_that_starts_with_closed_streams_loses_no_outcome(
    command: Command, ids: Ids, closed: str
) -> None:
    flows = ids(5)
    command.write("flows.txt", *flows)
    line = shlex.join([*FLOWREAPER, "delete", "-y", "--rate", "500", "--results", "-", "flows.txt"])
    assert command.shell(f"{line} {closed}").status == 0
    assert sorted(command.results("flows.txt.ckpt")) == flows
    assert command.states("flows.txt.ckpt") == {"deleted": 5}


def test_the_summary_comes_after_a_signal_too(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(60)
    command.write("flows.txt", *flows)
    with command.flowreaper("delete", "--yes", "--rate", "50", "flows.txt") as process:
        wait_for(lambda: len(service.called(flows)) > 1)
        process.send_signal(signal.SIGTERM)
        finished = ended(process)
    assert "Interrupted; no outcome is lost." in finished.told
    assert finished.resume.startswith("flowreaper delete --rate 50")


def test_what_an_id_holds_never_steers_the_terminal(command: Command) -> None:
    command.write("flows.txt", "\x1b[31mred\x1b[0m", "\u202ereversed")
    for arguments in (("delete", "--dry-run", "flows.txt"), ("delete", "-y", "--results", "-", "flows.txt")):
        finished = command.run(*arguments)
        assert "\x1b" not in finished.out + finished.err
        assert "\u202e" not in finished.out + finished.err


def test_secret_and_token_are_in_nothing_that_a_failing_debug_run_leaves_behind(
    command: Command, service: Service, ids: Ids
) -> None:
    secret, token = "do-not-show-this-secret", "do-not-show-this-token"
    flows = ids(3)
    right = service.environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
    environments: tuple[dict[str, str], ...] = (
        {},
        {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret},
        {"ALIBABA_CLOUD_SECURITY_TOKEN": token},
    )
    left_behind = []
    for number, environment in enumerate(environments):
        arguments = ("-c", f"{number}.ckpt", "--results", f"{number}.jsonl", "--log-level", "debug")
        with command.flowreaper(
            "delete", "-y", "--no-identity", *arguments, "-", stdin=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdin
            process.stdin.write(f"{flows[number]}\n")
            process.stdin.flush()
            wait_for(lambda flow=flows[number]: service.called([flow]) == [flow])  # type: ignore[misc]  # mypy: defaults of a lambda
            left_behind += [path.read_bytes() for path in command.folder.iterdir()]
            finished = ended(process)
        assert finished.status == (0 if number == 0 else 3)
        assert "call.answered" in finished.err
        left_behind += [finished.out.encode(), finished.err.encode()]
    left_behind += [path.read_bytes() for path in command.folder.iterdir()]
    assert any(b"LTAI****0001" in piece for piece in left_behind)
    for hidden in (right, secret, token):
        assert not any(hidden.encode() in piece for piece in left_behind)
