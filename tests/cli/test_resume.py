"""The command that goes on with a job: what it repeats, and what it leaves out."""

from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from flowreaper.cli import cli
from flowreaper.cli.commands.delete import command as delete
from flowreaper.cli.commands.verify import command as verify
from flowreaper.cli.resume import SHARED, is_piped, resume_command, retry_command, verify_command
from flowreaper.model import State
from flowreaper.producer.sources import Source

FILE = Source("ids.txt", "ids.txt", rereadable=True)
DASHED = Source("-ids.txt", "-ids.txt", rereadable=True)
PIPE = Source("-", "", rereadable=False, fd=0)
REDIRECTED = Source("-", "", rereadable=True, fd=0)
CHECKPOINT = Path("job.ckpt")


def resume(
    arguments: list[str],
    *sources: Source,
    read_all: bool = True,
    pipe_again: bool = False,
    retry: Sequence[State] = (),
) -> str:
    parent = click.Context(cli, info_name="flowreaper", **cli.context_settings)
    ctx = delete.make_context("delete", list(arguments), parent)
    return resume_command(ctx, sources, CHECKPOINT, read_all=read_all, pipe_again=pipe_again, retry=retry)


def test_a_file_is_read_again_with_the_checkpoint_that_was_made_for_it() -> None:
    assert resume(["--yes", "ids.txt"], FILE) == "flowreaper delete --yes --checkpoint job.ckpt ids.txt"


def test_a_checkpoint_that_was_typed_is_not_named_twice() -> None:
    assert resume(["-c", "job.ckpt", "ids.txt"], FILE) == "flowreaper delete --checkpoint job.ckpt ids.txt"


def test_what_concerned_this_run_alone_is_left_out() -> None:
    words = ["--retry", "refused", "--retry-code", "X", "--accept-lost-log", "-c", "job.ckpt"]
    assert resume(words) == "flowreaper delete --checkpoint job.ckpt"


def test_a_pipe_goes_on_from_its_checkpoint() -> None:
    assert resume(["-y", "-"], PIPE, read_all=False) == "flowreaper delete --yes --checkpoint job.ckpt"


@pytest.mark.parametrize(("source", "name"), [(FILE, "ids.txt"), (DASHED, "./-ids.txt")])
def test_files_beside_a_pipe_that_were_not_read_to_their_end_are_read_first(
    source: Source, name: str
) -> None:
    everything = "flowreaper delete --checkpoint job.ckpt"
    words = ["--", source.path, "-"]
    assert resume(words, source, PIPE, read_all=False) == f"{everything} {name}; {everything}"
    assert resume(words, source, PIPE, read_all=True) == everything


def test_after_a_pipe_into_a_checkpoint_with_other_flows_the_ids_are_to_be_piped_again() -> None:
    again = "flowreaper delete --checkpoint job.ckpt"
    assert resume(["-"], PIPE, pipe_again=True) == f"{again} -"
    assert resume(["--", "-ids.txt", "-"], DASHED, PIPE, pipe_again=True) == f"{again} ./-ids.txt -"


def test_states_to_take_again_are_named_until_the_input_was_read_to_its_end() -> None:
    words = ["--retry", "refused", "-c", "job.ckpt", "ids.txt"]
    assert (
        resume(words, FILE, read_all=False)
        == "flowreaper delete --checkpoint job.ckpt --retry refused ids.txt"
    )
    assert resume(words, FILE, read_all=True) == "flowreaper delete --checkpoint job.ckpt ids.txt"


def test_the_command_that_takes_absent_flows_again_names_what_this_run_named() -> None:
    words = [
        "--limit",
        "3",
        "--endpoint",
        "https://a.example",
        "--retry",
        "refused",
        "-c",
        "job.ckpt",
        "ids.txt",
    ]
    assert resume(words, FILE, retry=(State.ABSENT,)) == (
        "flowreaper delete --checkpoint job.ckpt --limit 3 --endpoint https://a.example --retry absent ids.txt"
    )


def test_standard_input_is_a_pipe_to_the_next_command_even_where_it_is_a_file() -> None:
    assert is_piped([PIPE])
    assert is_piped([FILE, REDIRECTED])
    assert not is_piped([FILE])
    assert not is_piped([])


def test_a_plan_is_named_again_to_go_on_but_not_where_ids_are_piped() -> None:
    words = ["--plan", "plan.json", "--limit", "3"]
    whole = Source("plan.json", "", rereadable=True, fd=9)
    assert resume(words, whole) == "flowreaper delete --plan plan.json --limit 3 --checkpoint job.ckpt"
    ctx = delete.make_context(
        "delete", words, click.Context(cli, info_name="flowreaper", **cli.context_settings)
    )
    assert retry_command(ctx, CHECKPOINT) == "flowreaper delete --checkpoint job.ckpt"


def test_the_command_that_verifies_reaches_the_service_as_this_run_did() -> None:
    words = ["--yes", "--rate", "9", "--canary", "5", "--treat", "X=absent", "--no-identity", "ids.txt"]
    ctx = delete.make_context("delete", words, click.Context(cli, info_name="flowreaper"))
    written = verify_command(ctx, Path("-job.ckpt"))
    assert written == "flowreaper verify --treat X=absent --no-identity ./-job.ckpt"


@pytest.mark.parametrize("name", SHARED)
def test_what_delete_and_verify_share_is_written_alike(name: str) -> None:
    (of_delete,), (of_verify,) = (
        [(p.opts, p.multiple) for p in c.params if isinstance(p, click.Option) and p.name == name]
        for c in (delete, verify)
    )
    assert of_delete == of_verify
