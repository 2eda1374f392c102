"""What goes in: files, formats, pipes."""

import gzip
import json
import shlex
import subprocess
from collections.abc import Callable

from tests.end_to_end.command import FLOWREAPER, Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]


def test_each_flow_of_a_file_is_called_once_in_the_order_of_the_file(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(20)
    command.write("flows.txt", *flows)
    finished = command.delete("--concurrency", "1", "flows.txt")
    assert finished.status == 0
    assert service.called(flows) == flows
    assert command.states("flows.txt.ckpt") == {"deleted": 20}


def test_a_csv_brings_a_space_for_each_flow(command: Command, service: Service, ids: Ids) -> None:
    own, theirs = ids(2)
    command.write("flows.csv", "Name,CustSpaceId,FlowId", f"a,,{own}", f'"b, c",cams-8f0k2m4q,{theirs}')
    assert command.delete("flows.csv").status == 0
    calls = {(call["cust_space_id"], call["flow_id"]) for call in service.ledger()}
    assert {("", own), ("cams-8f0k2m4q", theirs)} <= calls


def test_flows_without_a_space_get_the_one_of_the_option(
    command: Command, service: Service, ids: Ids
) -> None:
    (flow,) = ids(1)
    assert command.delete("--cust-space-id", "cams-default1", stdin=flow).status == 0
    assert ("cams-default1", flow) in {(call["cust_space_id"], call["flow_id"]) for call in service.ledger()}


def test_a_saved_listflow_answer_is_read(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(2)
    answer = {"Code": "OK", "Data": [{"FlowId": flow, "FlowName": "draft"} for flow in flows]}
    command.write("flows.json", json.dumps(answer))
    assert command.delete("flows.json").status == 0
    assert sorted(service.called(flows)) == flows


def test_named_fields_of_json_lines_are_read(command: Command, service: Service, ids: Ids) -> None:
    (flow,) = ids(1)
    command.write("flows.jsonl", json.dumps({"id": int(flow), "FlowId": "not this one"}))
    assert command.delete("--id-field", "id", "flows.jsonl").status == 0
    assert service.called([flow]) == [flow]


def test_sources_are_read_one_after_the_other(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(3)
    command.write("a.txt", flows[0])
    command.write("b.txt", flows[2])
    finished = command.delete("--concurrency", "1", "a.txt", "-", "b.txt", stdin=flows[1])
    assert finished.status == 0
    assert service.called(flows) == flows


def test_without_a_source_standard_input_is_read(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(3)
    assert command.delete(stdin="\n".join(flows)).status == 0
    assert sorted(service.called(flows)) == flows


def test_a_pipe_gets_a_checkpoint_with_its_time_in_its_name(command: Command, ids: Ids) -> None:
    finished = command.delete("-", stdin="\n".join(ids(2)))
    (checkpoint,) = command.folder.glob("stdin-*Z-*.ckpt")
    assert f"Checkpoint: {checkpoint.name}, 0 left to do" in finished.told


def test_two_pipes_that_begin_in_the_same_second_have_a_checkpoint_each(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(2)
    line = f"{shlex.join(FLOWREAPER)} delete --yes --rate 500"
    pipes = " & ".join(f"echo {flow} | {line}" for flow in flows)
    assert command.shell(f"{pipes} & wait").status == 0
    assert len(list(command.folder.glob("stdin-*.ckpt"))) == 2
    assert sorted(service.called(flows)) == flows


def test_an_id_is_called_while_its_pipe_is_still_open(command: Command, service: Service, ids: Ids) -> None:
    first, second = flows = ids(2)
    with command.flowreaper("delete", "--yes", "-c", "pipe.ckpt", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin
        for count, flow in enumerate((first, second), start=1):
            process.stdin.write(f"{flow}\n")
            process.stdin.flush()
            wait_for(lambda count=count: len(service.called(flows)) == count)  # type: ignore[misc]  # mypy: defaults of a lambda
            assert process.poll() is None
        assert ended(process).status == 0
    assert service.called(flows) == flows


def test_the_last_line_of_a_pipe_needs_no_line_end(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(2)
    assert command.delete(stdin="\n".join(flows)).status == 0
    assert sorted(service.called(flows)) == flows


def test_a_compressed_source_is_refused_before_anything_is_sent_wherever_it_stands(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    (command.folder / "more.txt.gz").write_bytes(gzip.compress(b"926000000000007919\n"))
    finished = command.delete("flows.txt", "more.txt.gz")
    assert finished.status == 2
    assert "more.txt.gz: is compressed (gzip)" in finished.err
    assert "gunzip -c < FILE | flowreaper delete" in finished.err
    assert service.called(flows) == []
    assert not (command.folder / "flows.txt.ckpt").exists()
    piped = command.shell(f"{shlex.join(FLOWREAPER)} delete --yes -c piped.ckpt - < more.txt.gz")
    assert piped.status == 2


def test_an_empty_input_is_a_job_that_is_done(command: Command) -> None:
    finished = command.delete("-c", "empty.ckpt", "-", stdin="")
    assert finished.status == 0
    assert command.states("empty.ckpt") == {}


def test_a_repeated_id_is_called_once_and_counted(command: Command, service: Service, ids: Ids) -> None:
    (flow,) = ids(1)
    finished = command.delete(stdin=f"{flow}\n {flow} \r\n# comment\n\n{flow}\n")
    assert finished.status == 0
    assert service.called([flow]) == [flow]
    assert "2 ids known already" in finished.err


def test_what_is_no_flow_id_is_recorded_with_its_line_and_never_sent(
    command: Command, service: Service, ids: Ids
) -> None:
    good = ids(2)
    command.write("flows.txt", good[0], "9.26E+17", "two words", good[1])
    finished = command.delete("flows.txt")
    assert finished.status == 1
    invalid = {flow: r for flow, r in command.results("flows.txt.ckpt").items() if r["state"] == "invalid"}
    assert {flow: record["line"] for flow, record in invalid.items()} == {"9.26E+17": 2, "two words": 3}
    assert "spreadsheets" in invalid["9.26E+17"]["message"]
    assert sorted(service.called([*good, *invalid])) == good
    assert "flowreaper results --state invalid flows.txt.ckpt" in finished.err


def test_a_dry_run_calls_nothing_and_writes_nothing(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(600)
    command.write("flows.txt", *flows, flows[0], "two words")
    before = sorted(command.folder.iterdir())
    finished = command.run("delete", "--dry-run", "flows.txt")
    assert finished.status == 0
    assert "600 flows" in finished.err
    assert "1 repeated, 1 invalid" in finished.err
    assert "flows.txt, line 602: two words" in finished.err
    assert "2 min 0 s" in finished.err
    assert service.called(flows) == []
    assert sorted(command.folder.iterdir()) == before


def test_a_dry_run_compares_the_input_with_the_checkpoint(command: Command, ids: Ids) -> None:
    flows = ids(5)
    command.write("flows.txt", *flows)
    command.delete("--limit", "2", "flows.txt")
    command.write("flows.txt", *flows, *ids(4))
    finished = command.run("delete", "--dry-run", "flows.txt")
    assert "4 new, 3 unfinished" in finished.err
    assert "left out: 2 finished before" in finished.err
