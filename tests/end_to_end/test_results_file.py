"""``delete --results FILE``: never another's file, never half a line, no outcome missing or twice."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, Finished, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def listed(file: Path) -> list[str]:
    """Return the flow ids of a results file, of which every line must be whole."""
    return [json.loads(line)["flow_id"] for line in file.read_text().splitlines()]


@pytest.fixture
def out(command: Command) -> Path:
    return command.folder / "out.jsonl"


@pytest.mark.parametrize("content", ["mine\n", '{"flow_id": "1"}\n', "{", '{"flow_id": "', "\n"], ids=repr)
@pytest.mark.parametrize("begun", [True, False], ids=["a checkpoint", "none yet"])
def test_another_s_file_is_refused_before_anything_is_sent(
    command: Command, service: Service, ids: Ids, out: Path, content: str, *, begun: bool
) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    if begun:
        command.delete("--limit", "1", "flows.txt")
    out.write_text(content)
    for more in ((), ("--dry-run",)):
        refused = command.delete("--results", "out.jsonl", *more, "flows.txt")
        assert refused.status == 2
        assert "out.jsonl exists, and does not hold results of the checkpoint flows.txt.ckpt" in refused.err
    assert out.read_text() == content
    assert service.called(flows) == flows[: int(begun)]
    assert (command.folder / "flows.txt.ckpt").exists() == begun


def test_a_file_of_another_checkpoint_is_refused_though_its_flows_are_the_same(
    command: Command, ids: Ids, out: Path
) -> None:
    command.write("flows.txt", *ids(2))
    assert command.delete("-c", "a.ckpt", "--results", "out.jsonl", "flows.txt").status == 0
    before = out.read_bytes()
    assert command.delete("-c", "b.ckpt", "--results", "out.jsonl", "flows.txt").status == 2
    assert command.delete("-c", "b.ckpt", "flows.txt").status == 0
    assert command.delete("-c", "b.ckpt", "--results", "out.jsonl", "flows.txt").status == 2
    assert out.read_bytes() == before


def test_an_empty_file_that_exists_is_written_to(command: Command, ids: Ids, out: Path) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    out.touch()
    assert command.delete("--results", "out.jsonl", "flows.txt").status == 0
    assert listed(out) == flows


@pytest.mark.parametrize("link", ["hard", "symbolic", "folder", "target is the link"])
def test_a_source_under_another_name_is_refused(
    command: Command, service: Service, ids: Ids, out: Path, link: str
) -> None:
    flows = ids(2)
    file = command.folder / "flows.txt"
    command.write("flows.txt", *flows)
    target, source = "out.jsonl", "flows.txt"
    if link == "hard":
        out.hardlink_to(file)
    elif link == "symbolic":
        (command.folder / "link.txt").symlink_to(file)
        target, source = "flows.txt", "link.txt"
    elif link == "folder":
        (command.folder / "here").symlink_to(command.folder)
        target = "here/flows.txt"
    else:
        out.symlink_to(file)
    refused = command.delete("-c", "job.ckpt", "--results", target, source)
    assert refused.status == 2
    assert f"--results {target} is a SOURCE too" in refused.err
    assert file.read_text().split() == flows
    assert service.called(flows) == []


@pytest.mark.parametrize("words", ["--results flows.txt - <flows.txt", "--results - flows.txt >>flows.txt"])
def test_a_source_is_known_behind_a_redirection(
    command: Command, service: Service, ids: Ids, words: str
) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    refused = command.shell(f"flowreaper delete --yes -c job.ckpt {words}")
    assert (refused.status, "is a SOURCE too" in refused.err) == (2, True)
    assert (command.folder / "flows.txt").read_text().split() == flows
    assert service.called(flows) == []


def test_our_own_results_file_can_be_read_by_another_run_but_not_written_to_meanwhile(
    command: Command, ids: Ids, out: Path
) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    command.delete("--results", "out.jsonl", "flows.txt")
    assert command.delete("-c", "flows.txt.ckpt", "--results", "out.jsonl", "out.jsonl").status == 2
    assert command.delete("-c", "again.ckpt", "out.jsonl").status == 0
    assert listed(out) == list(command.results("again.ckpt")) == flows


def _half(line: str) -> str:
    return line[: len(line) // 2]


@pytest.mark.parametrize(("left", "torn"), [(56, _half), (56, lambda _line: ""), (0, _half), (59, str)])
def test_after_a_full_disk_the_next_run_adds_what_is_missing_on_lines_of_their_own(
    command: Command, ids: Ids, out: Path, left: int, torn: Callable[[str], str]
) -> None:
    flows = ids(64)
    command.write("flows.txt", *flows)
    arguments = ("--results", "out.jsonl", "flows.txt")
    assert command.delete("--limit", "60", *arguments).status == 4
    lines = out.read_text().splitlines(keepends=True)
    assert len(lines) == 60
    out.write_text("".join(lines[:left]) + torn(lines[left].rstrip("\n")))
    mended = command.delete(*arguments).err
    assert "4 calls in" in mended
    # Where only the line end is missing, the file is complete with it.
    assert ("Comparing out.jsonl with the checkpoint" in mended) == (torn is not str)
    assert sorted(listed(out)) == flows
    assert listed(out)[:left] == [json.loads(line)["flow_id"] for line in lines[:left]]
    before = out.read_bytes()
    again = command.delete(*arguments)
    assert (again.status, "Comparing" in again.err) == (0, False)
    assert out.read_bytes() == before


def test_what_is_not_ours_at_the_end_of_the_file_is_kept(command: Command, ids: Ids, out: Path) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    arguments = ("--results", "out.jsonl", "flows.txt")
    command.delete("--limit", "2", *arguments)
    with out.open("a") as file:
        file.write("a note of mine")
    command.delete(*arguments)
    lines = out.read_text().splitlines()
    assert lines[2] == "a note of mine"
    assert [json.loads(line)["flow_id"] for line in (*lines[:2], *lines[3:])] == flows


def test_a_file_that_was_emptied_after_a_run_is_begun_anew(command: Command, ids: Ids, out: Path) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    arguments = ("--results", "out.jsonl", "flows.txt")
    command.delete("--limit", "2", *arguments)
    out.write_text("")
    command.delete(*arguments)
    assert listed(out) == flows[2:]


def test_invalid_lines_are_added_once_too(command: Command, ids: Ids, out: Path) -> None:
    (flow,) = ids(1)
    command.write("flows.txt", "two words", flow, "three more words")
    arguments = ("--results", "out.jsonl", "flows.txt")
    for kept in (3, 1, 2, 1, 3):
        assert command.delete(*arguments).status == 1
        lines = out.read_text().splitlines(keepends=True)
        assert sorted(listed(out)) == sorted(["two words", flow, "three more words"])
        out.write_text("".join(lines[:kept]))


@pytest.mark.parametrize("emptied", [False, True])
def test_a_killed_run_s_outcomes_are_in_the_file_once_the_job_goes_on(
    command: Command, service: Service, ids: Ids, out: Path, *, emptied: bool
) -> None:
    flows = ids(120)
    command.write("flows.txt", *flows)
    arguments = ("delete", "--yes", "--rate", "100", "--results", "out.jsonl", "flows.txt")
    for known in (10, 40, 70):
        with command.flowreaper(*arguments) as process:
            wait_for((command.folder / "flows.txt.ckpt").exists)
            wait_for(lambda: len(service.called(flows)) > 0)
            wait_for(lambda known=known: command.states("flows.txt.ckpt").get("deleted", 0) > known)  # type: ignore[misc]  # mypy: defaults of a lambda
            process.kill()
            ended(process)
        if emptied:  # as on a disk that was full from the start
            out.write_text("")
    assert command.run(*arguments).status == 0
    assert sorted(listed(out)) == flows
    assert command.states("flows.txt.ckpt") == {"deleted": 120}


def test_an_outcome_before_and_one_after_a_retry_are_both_there(
    begin: Begin, ids: Ids, tmp_path: Path
) -> None:
    _, command = begin("--trouble", "ok-with-error-code:#2")
    flows = ids(2)
    command.write("flows.txt", *flows)
    out = tmp_path / "out.jsonl"
    arguments = ("--concurrency", "1", "--results", "out.jsonl", "flows.txt")
    assert command.delete(*arguments).status == 1
    first, _ = out.read_text().splitlines(keepends=True)
    out.write_text(first)
    assert command.delete("--retry", "refused", *arguments).status == 0
    assert command.delete(*arguments).status == 0
    states = [json.loads(line)["state"] for line in out.read_text().splitlines()]
    assert states == ["deleted", "refused", "deleted"]


def test_a_new_file_holds_what_ended_since_it_was_begun(command: Command, ids: Ids, out: Path) -> None:
    flows = ids(6)
    command.write("flows.txt", *flows)
    one = ("--limit", "1", "flows.txt")
    command.delete(*one)
    command.delete("--results", "out.jsonl", *one)
    assert listed(out) == flows[1:2]
    command.delete("--results", "other.jsonl", *one)
    command.delete(*one)
    finished = command.delete("--results", "out.jsonl", *one)
    assert listed(out) == flows[1:5]
    assert "out.jsonl lacked 2 outcomes of earlier runs, which were added" in finished.err
    command.delete("--results", "other.jsonl", "flows.txt")
    assert listed(command.folder / "other.jsonl") == flows[2:3] + flows[3:]


def test_a_job_can_be_moved_with_its_results(command: Command, ids: Ids) -> None:
    flows = ids(4)
    old, new = command.folder / "old", command.folder / "new"
    old.mkdir()
    (old / "flows.txt").write_text("\n".join(flows))
    line = "flowreaper delete --yes --rate 500 --results out.jsonl flows.txt"
    assert command.shell(f"cd old && {line} --limit 2").status == 4
    old.rename(new)
    assert command.shell(f"cp -r new copy && cd copy && {line}").status == 0
    assert listed(command.folder / "copy" / "out.jsonl") == flows
    assert command.shell(f"cd new && {line}").status == 0
    assert listed(new / "out.jsonl") == flows


def test_a_file_that_another_run_writes_is_refused(command: Command, service: Service, ids: Ids) -> None:
    first, second = flows = ids(2)
    (command.folder / "out.jsonl").touch()
    with command.flowreaper(
        "delete", "-y", "-c", "a.ckpt", "--results", "out.jsonl", "-", stdin=subprocess.PIPE
    ) as process:
        wait_for((command.folder / "a.ckpt").exists)
        refused = Finished(0, "", "")

        def is_refused() -> bool:
            nonlocal refused
            refused = command.delete("-c", "b.ckpt", "--results", "out.jsonl", "-", stdin="")
            return refused.status == 2

        wait_for(is_refused)
        assert "another run writes its results to out.jsonl" in refused.err
        assert process.stdin
        process.stdin.write(f"{first}\n")
        assert ended(process).status == 0
    assert service.called(flows) == [first]
    assert second not in (command.folder / "out.jsonl").read_text()
