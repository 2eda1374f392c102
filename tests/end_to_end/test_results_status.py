"""What ``flowreaper results`` and ``flowreaper status`` show, also while a run goes on."""

import csv
import io
import json
import signal
import stat
import subprocess
from collections.abc import Callable

import pytest

from flowreaper.model import Record
from tests.end_to_end.command import FLOWREAPER, Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]
Copied = Callable[[Command], Command]


@pytest.fixture(scope="module")
def made(begin_once: Begin, ids: Ids) -> tuple[Command, list[str]]:
    _, command = begin_once("--trouble", "ok-with-error-code:#2")
    flows = ids(3)
    command.write("flows.txt", "two words", *flows)
    command.delete("--concurrency", "1", "--limit", "2", "flows.txt")
    return command, flows


@pytest.fixture
def job(made: tuple[Command, list[str]], copied: Copied) -> tuple[Command, list[str]]:
    """A job with a flow deleted, one refused, one pending, and an invalid line; the flows' ids."""
    command, flows = made
    return copied(command), flows


def test_results_are_one_json_object_a_flow_in_the_order_of_reading(job: tuple[Command, list[str]]) -> None:
    command, flows = job
    records = command.run("results", "flows.txt.ckpt").records
    assert [list(record) for record in records] == [list(Record._fields)] * 4
    assert [record["flow_id"] for record in records] == [*flows, "two words"]
    assert [record["state"] for record in records] == ["deleted", "refused", "pending", "invalid"]
    assert [record["line"] for record in records] == [2, 3, 4, 1]
    assert {record["source"] for record in records} == {"flows.txt"}


def test_results_as_csv_have_a_header_and_a_row_a_flow(job: tuple[Command, list[str]]) -> None:
    command, flows = job
    rows = list(csv.DictReader(io.StringIO(command.run("results", "--format", "csv", "flows.txt.ckpt").out)))
    assert [row["flow_id"] for row in rows] == [*flows, "two words"]
    assert list(rows[0]) == list(Record._fields)
    assert (rows[1]["code"], rows[2]["code"]) == ("Flow.Locked", "")


def test_results_as_ids_can_be_read_by_delete(job: tuple[Command, list[str]]) -> None:
    command, flows = job
    listed = command.run("results", "--format", "ids", "--state", "refused", "flows.txt.ckpt").out
    assert listed == f"{flows[1]}\n"
    assert command.delete("-c", "again.ckpt", "-", stdin=listed).status == 0


def test_an_invalid_line_is_never_listed_as_an_id(job: tuple[Command, list[str]]) -> None:
    command, flows = job
    listed = command.run("results", "--format", "ids", "flows.txt.ckpt")
    assert (listed.status, listed.out.split()) == (0, flows)
    assert listed.err == "1 invalid line is left out: no flow id is in it\n"
    alone = command.run("results", "--format", "ids", "--state", "invalid", "flows.txt.ckpt")
    assert (alone.status, alone.out, alone.err) == (0, "", listed.err)


@pytest.fixture(scope="module")
def made_spaced(begin_once: Begin, ids: Ids) -> tuple[Command, Service, list[str]]:
    service, command = begin_once("--trouble", "ok-with-error-code:#1,ok-with-error-code:#2")
    own, spaced, left = flows = ids(3)
    command.write("flows.csv", "FlowId,CustSpaceId", f"{own},", f"{spaced},cams-a1", f"{left},cams-b2")
    command.delete("--concurrency", "1", "--limit", "2", "flows.csv")
    return command, service, flows


@pytest.fixture
def spaced(
    made_spaced: tuple[Command, Service, list[str]], copied: Copied
) -> tuple[Command, Service, list[str]]:
    """A job with a flow of the account's own and two of a space, two refused, one pending; the ids."""
    command, service, flows = made_spaced
    return copied(command), service, flows


@pytest.mark.parametrize("states", [(), ("refused",), ("pending",), ("pending", "refused")])
def test_ids_are_refused_where_a_selected_flow_has_a_space(
    spaced: tuple[Command, Service, list[str]], states: tuple[str, ...]
) -> None:
    command, _, _ = spaced
    options = [word for state in states for word in ("--state", state)]
    for more in ((), ("-o", "ids.txt")):
        refused = command.run("results", "--format", "ids", *options, *more, "flows.csv.ckpt")
        assert (refused.status, refused.out) == (2, "")
        assert "--format jsonl" in refused.err
    assert not (command.folder / "ids.txt").exists()
    none = command.run("results", "--format", "ids", "--state", "deleted", "flows.csv.ckpt")
    assert (none.status, none.out) == (0, "")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_results_through_a_pipe_bring_each_flow_with_its_space(
    spaced: tuple[Command, Service, list[str]], form: str
) -> None:
    command, service, flows = spaced
    before = len(service.ledger())
    line = f"flowreaper results --state refused --format {form} flows.csv.ckpt"
    finished = command.shell(f"{line} | flowreaper delete --yes --rate 500 -c again.ckpt -")
    assert finished.status == 0, finished.err
    called = {(call["flow_id"], call["cust_space_id"] or "") for call in service.ledger(since=before)}
    assert called == {(flows[0], ""), (flows[1], "cams-a1")}


@pytest.mark.parametrize("form", ["jsonl", "csv", "json"])
def test_what_was_invalid_is_not_sent_when_the_records_are_read_back(
    command: Command, service: Service, ids: Ids, form: str
) -> None:
    good, looks_good = ids(2)
    # A record of one cell where the header has two: it may be another column's.
    command.write("flows.csv", "FlowName,FlowId", f"one,{good}", looks_good)
    assert command.delete("flows.csv").status == 1
    (record,) = command.run("results", "--state", "invalid", "flows.csv.ckpt").records
    assert record["flow_id"] == looks_good
    records = command.run("results", "--format", "csv" if form == "csv" else "jsonl", "flows.csv.ckpt")
    listed = f"[{','.join(records.out.splitlines())}]" if form == "json" else records.out
    finished = command.delete("-c", "again.ckpt", "-", stdin=listed)
    assert finished.status == 1
    assert service.called([good, looks_good]) == [good, good]
    assert command.states("again.ckpt") == {"absent": 1, "invalid": 1}


@pytest.mark.parametrize(
    ("states", "places"),
    [(["deleted"], [0]), (["refused", "pending"], [1, 2]), (["absent"], []), (["invalid"], [3])],
)
def test_results_of_named_states_are_shown_alone(
    job: tuple[Command, list[str]], states: list[str], places: list[int]
) -> None:
    command, flows = job
    options = [word for state in states for word in ("--state", state)]
    shown = command.run("results", *options, "flows.txt.ckpt").records
    assert [record["flow_id"] for record in shown] == [[*flows, "two words"][place] for place in places]


def test_results_go_to_a_new_private_file_and_never_over_another(job: tuple[Command, list[str]]) -> None:
    command, _ = job
    arguments = ("results", "-o", "out.jsonl", "flows.txt.ckpt")
    first = command.run(*arguments)
    assert (first.status, first.out, first.err) == (0, "", "")
    file = command.folder / "out.jsonl"
    assert len(file.read_text().splitlines()) == 4
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("mine")
    second = command.run(*arguments)
    assert second.status == 2
    assert "out.jsonl already exists" in second.err
    assert file.read_text() == "mine"


def test_a_dash_is_standard_output(job: tuple[Command, list[str]]) -> None:
    command, _ = job
    assert len(command.run("results", "-o", "-", "flows.txt.ckpt").records) == 4
    assert not (command.folder / "-").exists()


def test_results_whose_reader_goes_away_end_without_a_word(command: Command) -> None:
    command.write("flows.txt", *(f"two words {number}" for number in range(20_000)))
    command.delete("--log-level", "error", "flows.txt")
    with command.flowreaper("results", "flows.txt.ckpt") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 128 + signal.SIGPIPE


def test_results_with_a_closed_standard_output_show_no_traceback(job: tuple[Command, list[str]]) -> None:
    command, _ = job
    finished = command.finish("sh", "-c", '"$@" >&-', "sh", *FLOWREAPER, "results", "flows.txt.ckpt")
    assert finished.status == 0


def test_status_counts_by_state_and_by_code(job: tuple[Command, list[str]]) -> None:
    command, _ = job
    shown = command.run("status", "flows.txt.ckpt")
    assert shown.status == 0
    words = [line.split() for line in shown.out.splitlines()]
    for row in (
        ["pending", "1"],
        ["deleted", "1"],
        ["refused", "1"],
        ["1", "Flow.Locked"],
        ["invalid", "1"],
        ["total", "4"],
    ):
        assert row in words


def test_status_as_json_says_what_the_checkpoint_belongs_to(
    job: tuple[Command, list[str]],
) -> None:
    command, _ = job
    shown = json.loads(command.run("status", "--json", "flows.txt.ckpt").out)
    assert shown["endpoint"] == command.environment["FLOWREAPER_ENDPOINT"]
    assert (shown["sandbox"], shown["access_key"], shown["total"]) == (False, "LTAI****0001", 4)
    assert shown["codes"]["refused"] == {"Flow.Locked": 1}


def test_a_live_checkpoint_can_be_read_while_its_run_goes_on(
    command: Command, service: Service, ids: Ids
) -> None:
    first, second = flows = ids(2)
    with command.flowreaper("delete", "-y", "-c", "live.ckpt", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(f"{first}\n")
        process.stdin.flush()
        wait_for(lambda: service.called(flows) == [first])
        wait_for(lambda: command.states("live.ckpt") == {"deleted": 1})
        assert json.loads(command.run("status", "--json", "live.ckpt").out)["states"]["deleted"] == 1
        assert [record["flow_id"] for record in command.run("results", "live.ckpt").records] == [first]
        process.stdin.write(f"{second}\n")
        assert ended(process).status == 0
    assert list(command.results("live.ckpt")) == flows


@pytest.mark.parametrize("name", ["results", "status"])
@pytest.mark.parametrize(
    ("file", "words"), [("none", "there is no checkpoint"), ("text", "not a flowreaper")]
)
def test_what_is_no_checkpoint_is_a_usage_error(command: Command, name: str, file: str, words: str) -> None:
    command.write("text", "Dear reader,")
    shown = command.run(name, file)
    assert (shown.status, shown.out) == (2, "")
    assert words in shown.err
