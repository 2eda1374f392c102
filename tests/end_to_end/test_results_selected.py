"""``flowreaper results`` with options that select, and what a spreadsheet gets."""

from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]
Job = tuple[Command, Service, list[str]]


@pytest.fixture(scope="module")
def made(begin_once: Begin, ids: Ids) -> Job:
    service, command = begin_once("--trouble", "ok-with-error-code:#1")
    flows = ids(4)
    one, two, three, four = flows
    lines = (f"{one},", f"{two},cams-a1", f"{three},cams-a1", f"{four},", "two words,")
    command.write("flows.csv", "FlowId,CustSpaceId", *lines)
    command.delete("--concurrency", "1", "--limit", "3", "flows.csv")
    return command, service, flows


@pytest.fixture
def job(made: Job, copied: Callable[[Command], Command]) -> Job:
    """Flows: refused, deleted and of a space, deleted and of that space, pending; and an invalid line. The ids."""
    command, service, flows = made
    return copied(command), service, flows


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (["--code", "Flow.Locked"], [0]),
        (["--code", "Flow.Locked", "--code", "OK"], [0, 1, 2]),
        (["--code", "OK", "--state", "refused"], []),
        (["--code", "-"], [3]),
        (["--space", "cams-a1"], [1, 2]),
        (["--space", "-"], [0, 3]),
        (["--space", "-", "--state", "pending"], [3]),
        (["--since", "1h"], [0, 1, 2, 4]),
        (["--since", "2020-01-01", "--state", "invalid"], [4]),
        (["--since", "0s"], []),
    ],
)
def test_a_record_satisfies_every_option_with_one_of_its_values(
    job: Job, options: list[str], places: list[int]
) -> None:
    command, _, flows = job
    shown = command.run("results", *options, "flows.csv.ckpt")
    assert shown.status == 0, shown.err
    assert [record["flow_id"] for record in shown.records] == [[*flows, "two words"][p] for p in places]
    assert shown.err.startswith("Note: ") is not bool(places)


def test_a_mistyped_code_does_not_look_as_if_nothing_had_failed(job: Job) -> None:
    command, _, _ = job
    shown = command.run("results", "--code", "Flow.Lokced", "flows.csv.ckpt")
    assert (shown.status, shown.out) == (0, "")
    assert "no flow of flows.csv.ckpt has the code Flow.Lokced. Did you mean Flow.Locked?" in shown.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "yesterday"], "--since yesterday is no time"),
        (["--space", ""], "write --space -"),
        (["--code", ""], "write --code -"),
        (["--state", "refusd"], "Did you mean refused?"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(job: Job, options: list[str], words: str) -> None:
    command, _, _ = job
    shown = command.run("results", *options, "-o", "out", "flows.csv.ckpt")
    assert (shown.status, shown.out) == (2, "")
    assert words in shown.err
    assert not (command.folder / "out").exists()


def test_delete_reads_what_was_written_for_a_spreadsheet_with_each_flow_in_its_space(job: Job) -> None:
    command, service, flows = job
    before = len(service.ledger())
    line = "flowreaper results --format spreadsheet flows.csv.ckpt"
    shown = command.shell(line).out
    assert f'"=""{flows[0]}""",,refused,false,' in shown
    finished = command.shell(f"{line} | flowreaper delete --yes --rate 500 -c again.ckpt -")
    assert finished.status == 1, finished.err  # of the invalid line
    called = {(call["flow_id"], call["cust_space_id"] or "") for call in service.ledger(since=before)}
    one, two, three, four = flows
    assert called == {(one, ""), (two, "cams-a1"), (three, "cams-a1"), (four, "")}


@pytest.mark.parametrize("form", ["jsonl", "csv", "spreadsheet"])
def test_ids_of_a_pipe_have_stdin_as_their_source(command: Command, ids: Ids, form: str) -> None:
    command.delete("-c", "job.ckpt", "-", stdin=ids(1)[0])
    shown = command.run("results", "--format", form, "job.ckpt").out
    assert "stdin" in shown.splitlines()[-1]
    assert '"-"' not in shown
