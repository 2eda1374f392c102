"""A run that would call more flows than it may calls none, however its ids come."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, Service
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def test_a_file_with_more_flows_is_refused_before_a_checkpoint_is_made(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(11)
    command.write("flows.txt", *flows)
    finished = command.delete("--max-delete", "10", "flows.txt")
    assert finished.status == 2
    assert "11 flows would be called, and at most 10 may be; nothing was sent" in finished.err
    assert "raise --max-delete" in finished.err
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]
    assert service.called(flows) == []
    assert command.delete("--max-delete", "11", "flows.txt").status == 0


def test_a_file_that_is_too_large_to_be_counted_first_is_read_whole_before_the_first_call(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(15_000)
    command.write("flows.txt", *flows)
    finished = command.delete("--max-delete", "14999", "flows.txt")
    assert finished.status == 2
    assert "15,000 flows would be called, and at most 14,999 may be" in finished.err
    assert command.states("flows.txt.ckpt") == {"pending": 15_000}
    assert service.called(flows) == []


def test_a_pipe_with_more_flows_is_read_whole_and_nothing_is_called(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(11)
    finished = command.delete("--max-delete", "10", "-c", "job.ckpt", "-", stdin="\n".join(flows))
    assert finished.status == 2
    assert "11 flows would be called, and at most 10 may be" in finished.err
    assert "To go on" not in finished.err
    assert command.states("job.ckpt") == {"pending": 11}
    assert service.called(flows) == []
    assert command.delete("--max-delete", "11", "-c", "job.ckpt").status == 0
    assert command.states("job.ckpt") == {"deleted": 11}


def test_the_question_is_not_asked_where_more_flows_would_be_called(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    with Terminal(command, "delete", "--max-delete", "2", "flows.txt") as terminal:
        assert terminal.wait() == 2
        assert "3 flows would be called, and at most 2 may be" in terminal.shown
        assert "Delete?" not in terminal.shown


def test_a_dry_run_ends_as_the_run_would(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    finished = command.run("delete", "--dry-run", "--max-delete", "2", "flows.txt")
    assert finished.status == 2
    assert "Would permanently delete 3 flows" in finished.err
    assert "3 flows would be called, and at most 2 may be" in finished.err


def test_only_what_this_run_would_call_counts(command: Command, ids: Ids) -> None:
    flows = ids(6)
    command.write("flows.txt", *flows)
    command.delete("--limit", "4", "flows.txt")
    assert command.delete("--max-delete", "2", "flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 6}


def test_flows_that_are_taken_again_count(command: Command, begin: Begin, ids: Ids) -> None:
    flows = ids(3)
    command.write("published.txt", *flows)
    service, own = begin("--published", str(command.folder / "published.txt"))
    own.write("flows.txt", *flows)
    own.delete("flows.txt")
    calls = len(service.ledger())
    finished = own.delete("--retry", "refused", "--max-delete", "2", "flows.txt")
    assert finished.status == 2
    assert "3 flows would be called, and at most 2 may be" in finished.err
    finished = own.delete("--retry", "refused", "--max-delete", "2", "-c", "flows.txt.ckpt")
    assert "3 flows would be called, and at most 2 may be" in finished.err
    assert len(service.ledger()) == calls


def known(begin: Begin, folder: Path, count: int, ids: Ids) -> tuple[Service, Command, list[str]]:
    """Begin a sandbox whose account has this many flows in its own space."""
    flows = ids(count)
    (folder / "known.txt").write_text("\n".join(flows))
    service, command = begin("--known", str(folder / "known.txt"))
    return service, command, flows


@pytest.mark.parametrize(("most", "status"), [("10%", 0), ("9.9%", 2)])
def test_a_share_is_that_of_the_flows_in_the_spaces_of_the_input(
    begin: Begin, ids: Ids, tmp_path: Path, most: str, status: int
) -> None:
    service, command, flows = known(begin, tmp_path, 100, ids)
    finished = command.delete("--max-delete", most, "-c", "job.ckpt", "-", stdin="\n".join(flows[:10]))
    assert finished.status == status
    if status:
        assert f"at most 9 may be ({most} of the 100 flows in the input's spaces)" in finished.err
        assert "To go on" not in finished.err
    assert len(service.ledger()) == (0 if status else 10)


def test_a_space_that_cannot_be_listed_stops_the_run_before_the_first_call(begin: Begin, ids: Ids) -> None:
    service, command = begin("--deny", "ListFlow")
    finished = command.delete("--max-delete", "10%", stdin="\n".join(ids(3)))
    assert finished.status == 3
    assert "ListFlow" in finished.err
    assert service.ledger() == []


@pytest.mark.parametrize("value", ["ten", "-1", "101%", ""])
def test_what_is_neither_a_number_nor_a_share_is_a_usage_error(command: Command, value: str) -> None:
    finished = command.delete("--max-delete", value, stdin="1")
    assert finished.status == 2
    assert "Error: --max-delete must be a number of flows, or a share of them from 0% to 100%" in finished.err
