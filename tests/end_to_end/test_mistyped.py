"""A command that is nearly right is refused with the one that is."""

import shlex
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service

Ids = Callable[[int], list[str]]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["delte", "ids.txt"], "there is no command delte. Did you mean delete?"),
        (["delete", "--retyr", "refused"], "--retry"),
        (["delete", "--retry", "refusd"], "Did you mean refused?"),
        (["results", "--format", "spreadsheat", "x"], "Did you mean spreadsheet?"),
        (["x\x1b[31m"], "there is no command x\\x1b[31m."),
    ],
)
def test_a_typo_is_answered_with_the_word_that_was_meant(
    command: Command, words: list[str], answer: str
) -> None:
    finished = command.run(*words)
    assert (finished.status, finished.out) == (2, "")
    assert answer in finished.err


@pytest.mark.parametrize("name", ["results", "status"])
def test_an_input_in_the_place_of_its_checkpoint_is_answered_with_the_command(
    command: Command, ids: Ids, name: str
) -> None:
    command.delete(command.write("my flows.txt", *ids(1)))
    finished = command.run(name, "my flows.txt")
    assert (finished.status, finished.out) == (2, "")
    meant = finished.err.rstrip().rpartition(": ")[2]
    assert command.shell(meant).status == 0
    assert shlex.split(meant) == ["flowreaper", name, "my flows.txt.ckpt"]


@pytest.mark.parametrize("many", [1, 2])
def test_an_id_as_a_source_is_answered_with_the_command_that_pipes_it(
    command: Command, service: Service, ids: Ids, many: int
) -> None:
    flows = ids(many)
    refused = command.delete(*flows)
    assert (refused.status, service.called(flows)) == (2, [])
    assert "ids come from a file or a pipe" in refused.err
    assert command.shell(refused.err.splitlines()[-1]).status == 0
    assert sorted(service.called(flows)) == flows


def test_a_file_whose_name_looks_like_an_id_is_read(command: Command, ids: Ids) -> None:
    assert command.delete(command.write("20261125", *ids(1))).status == 0


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["help"], "Usage: flowreaper [OPTIONS]"),
        (["help", "results"], "Usage: flowreaper results"),
        (["-h"], "Usage: flowreaper [OPTIONS]"),
    ],
)
def test_help_can_be_asked_for_in_every_usual_way(command: Command, words: list[str], begins: str) -> None:
    finished = command.run(*words)
    assert (finished.status, finished.err) == (0, "")
    assert finished.out.startswith(begins)


def test_a_mistyped_code_to_retry_is_named_and_nothing_is_called(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    command.delete(command.write("flows.txt", *flows))
    finished = command.delete("--retry-code", "0K", "-c", "flows.txt.ckpt")
    assert "Note: no flow of flows.txt.ckpt has the code 0K. Its codes: OK (1)" in finished.err
    known = command.delete("--retry-code", "OK", "-c", "flows.txt.ckpt")
    assert "no flow" not in known.err
    first = command.delete("--retry-code", "OK", command.write("new.txt", *ids(1)))
    assert (first.status, "no flow" in first.err) == (0, False)
    assert service.called(flows) == flows
