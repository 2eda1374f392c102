"""What goes in: files, formats, pipes."""

import gzip
import json
import shlex
import subprocess
import sys
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
    assert f"Nothing left to do. Checkpoint: {checkpoint.name}" in finished.told


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
    assert "pipe it through gunzip -c" in finished.err
    assert service.called(flows) == []
    assert not (command.folder / "flows.txt.ckpt").exists()
    piped = command.shell(f"{shlex.join(FLOWREAPER)} delete --yes -c piped.ckpt - < more.txt.gz")
    assert piped.status == 2


def test_text_that_is_no_flow_id_is_never_sent_and_says_why(
    command: Command, service: Service, ids: Ids
) -> None:
    good = ids(2)
    debris = [
        "null",
        "None",
        "[",
        "{",
        "--",
        "flows:",
        "<html><body>login</body></html>",
        "123#x",
        "\uff11\uff12",
    ]
    command.write("flows.txt", "FlowId", good[0], *debris, good[1])
    finished = command.delete("flows.txt")
    assert finished.status == 1
    assert service.called([*good, *debris, "FlowId"]) == good
    records = command.results("flows.txt.ckpt")
    assert sorted(records) == sorted([*good, *debris])
    assert all("id pattern" in records[text]["message"] for text in debris)


def test_a_pattern_lets_other_ids_be_called(command: Command, service: Service, ids: Ids) -> None:
    (flow,) = ids(1)
    odd = f"draft/{flow}"
    command.write("flows.txt", odd, flow)
    finished = command.delete("--id-pattern", "draft/[0-9]+", "flows.txt")
    assert finished.status == 1
    assert service.called([odd, flow]) == [odd]
    assert command.states("flows.txt.ckpt") == {"deleted": 1, "invalid": 1}


def test_a_pattern_that_is_none_and_a_default_space_that_cannot_be_are_refused(command: Command) -> None:
    command.write("flows.txt", "926000000000007919")
    finished = command.delete("--id-pattern", "[0-9", "flows.txt")
    assert finished.status == 2
    assert "the id pattern [0-9 is no regular expression: unterminated character set" in finished.err
    finished = command.delete("--cust-space-id", "null", "flows.txt")
    assert finished.status == 2
    assert "the space 'null' stands for no value" in finished.err
    assert not (command.folder / "flows.txt.ckpt").exists()


def test_a_checkpoint_as_source_is_refused_and_the_option_for_it_named(
    command: Command, service: Service, ids: Ids
) -> None:
    (flow,) = ids(1)
    command.write("flows.txt", flow)
    assert command.delete("flows.txt").status == 0
    finished = command.delete("flows.txt.ckpt")
    assert finished.status == 2
    assert (
        "flows.txt.ckpt: is an SQLite database: if it is a checkpoint, name it as the checkpoint"
        in finished.err
    )
    assert not (command.folder / "flows.txt.ckpt.ckpt").exists()
    piped = command.shell(f"cat flows.txt.ckpt | {shlex.join(FLOWREAPER)} delete --yes -c piped.ckpt -")
    assert piped.status == 2
    assert "-: is an SQLite database: if it is a checkpoint, name it as the checkpoint" in piped.err
    assert len(service.called([flow])) == 1


def test_a_nul_byte_anywhere_in_a_file_is_refused_before_anything_is_sent(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(200)
    text = "".join(f"{flow}\n" for flow in flows)
    command.write("flows.txt", *flows)
    (command.folder / "more.txt").write_bytes(text.encode() + b"\0\n")
    finished = command.delete("flows.txt", "more.txt")
    assert finished.status == 2
    assert f"more.txt: has a NUL byte at offset {len(text)}, so it is no text" in finished.err
    assert not (command.folder / "flows.txt.ckpt").exists()
    given = command.shell(f"{shlex.join(FLOWREAPER)} delete --yes -c given.ckpt - < more.txt")
    assert given.status == 2
    assert service.called(flows) == []


def test_an_unclosed_quotation_mark_says_which_lines_it_swallowed_and_nothing_is_sent(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(2000)
    rows = [f'{flows[0]},"unclosed', *(f"{flow},x" for flow in flows[1:])]
    command.write("flows.csv", "FlowId,FlowName", *rows)
    finished = command.delete("flows.csv")
    assert finished.status == 2
    assert "in the CSV record that begins in line 2, a quotation mark is never closed" in finished.err
    assert "lines 2 to 2001, 2,000 lines, were not read as ids" in finished.err
    assert service.called(flows) == []


def test_saved_answers_a_line_each_are_read(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(6)
    answers = [{"Code": "OK", "Data": [{"FlowId": flow} for flow in flows[at : at + 2]]} for at in (0, 2, 4)]
    lines = [
        json.dumps(answers[0]),
        json.dumps({"statusCode": 200, "body": answers[1]}),
        json.dumps(answers[2]),
    ]
    command.write("flows.jsonl", *lines)
    assert command.delete("flows.jsonl").status == 0
    assert sorted(service.called(flows)) == flows


def test_files_with_byte_order_marks_that_cat_put_together_lose_no_id(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(6)
    mark = "\ufeff"
    command.write("flows.txt", f"{mark}{flows[0]}", f"{mark}{flows[1]}")
    command.write("flows.csv", f"{mark}FlowId,Name", f"{flows[2]},a", f"{mark}FlowId,Name", f"{flows[3]},b")
    command.write("flows.jsonl", f'{mark}"{flows[4]}"', f'{mark}{{"FlowId": "{flows[5]}"}}')
    finished = command.delete("flows.txt", "flows.csv", "flows.jsonl")
    assert finished.status == 0
    assert sorted(service.called(flows)) == flows


def test_an_iterable_that_raises_ends_a_program_with_its_own_exception_and_what_was_read_recorded(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(3)
    program = command.folder / "program.py"
    program.write_text(
        "import asyncio, os\n"
        "from flowreaper import Settings, delete_flows, parse_endpoint\n"
        "def flows():\n"
        f"    yield from {flows}\n"
        "    raise LookupError('the cursor is closed')\n"
        "settings = Settings(endpoint=parse_endpoint(os.environ['FLOWREAPER_ENDPOINT']), rate=500.0)\n"
        "try:\n"
        "    asyncio.run(delete_flows(flows(), checkpoint='job.ckpt', settings=settings))\n"
        "except LookupError as error:\n"
        "    print(error)\n"
    )
    finished = command.finish(sys.executable, str(program))
    assert (finished.status, finished.out) == (0, "the cursor is closed\n")
    assert sorted(command.results("job.ckpt")) == flows


def test_an_empty_input_is_a_job_that_is_done(command: Command) -> None:
    finished = command.delete("-c", "empty.ckpt", "-", stdin="")
    assert finished.status == 0
    assert command.states("empty.ckpt") == {}


def test_a_repeated_id_is_called_once_and_counted(command: Command, service: Service, ids: Ids) -> None:
    (flow,) = ids(1)
    finished = command.delete(stdin=f"{flow}\n {flow} \r\n# comment\n\n{flow}\n")
    assert finished.status == 0
    assert service.called([flow]) == [flow]
    assert "2 duplicates skipped" in finished.err


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
    assert "2 min" in finished.err
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
