"""What a run finds in its checkpoint, makes of it, and reports of it at its end."""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import CheckpointError
from flowreaper.job.checkpoint_state import EndState, prepare, read_end
from flowreaper.job.settings import Settings
from flowreaper.model import Flow, State
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from tests.samples import IDENTITY, PAST_RUN, REFUSAL, entries, outcome

ENDPOINT = parse_endpoint("https://cams.example")


@pytest.fixture
def half_done(tmp_path: Path) -> Iterator[Checkpoint]:
    """1 deleted, 2 refused, 3 claimed, 4 and 5 pending."""
    with contextlib.closing(open_checkpoint(tmp_path / "job.ckpt", IDENTITY)) as checkpoint:
        checkpoint.add(entries("1", "2", "3", "4", "5"))
        one, two, _ = checkpoint.write([], new=3)
        checkpoint.write([outcome(one), outcome(two, State.REFUSED, REFUSAL)])
        yield checkpoint


def test_without_an_input_everything_unfinished_is_called_and_what_was_claimed_comes_first(
    half_done: Checkpoint,
) -> None:
    start = prepare(half_done, Settings(endpoint=ENDPOINT), PAST_RUN, listed=False)
    assert (start.to_call, list(start.before.left_claimed), list(start.sought)) == (3, [3], [])
    assert start.before.has_deleted
    assert half_done.in_doubt() == start.before.in_doubt == 1


def test_a_run_that_begins_is_kept_and_gets_the_next_number(half_done: Checkpoint) -> None:
    first, second = (prepare(half_done, Settings(endpoint=ENDPOINT), PAST_RUN, listed=False) for _ in "ab")
    assert (first.run.number, second.run.number) == (1, 2)
    assert first.run == replace(PAST_RUN, number=1)


def test_with_an_input_nothing_is_sure_and_it_is_searched_for_what_is_unfinished(
    half_done: Checkpoint,
) -> None:
    start = prepare(half_done, Settings(endpoint=ENDPOINT), PAST_RUN, listed=True)
    assert (start.to_call, list(start.before.left_claimed)) == (0, [])
    assert start.sought == [Flow("3"), Flow("4"), Flow("5")]


def test_states_that_are_retried_are_pending_again(half_done: Checkpoint) -> None:
    start = prepare(half_done, Settings(endpoint=ENDPOINT, retry=(State.REFUSED,)), PAST_RUN, listed=False)
    assert start.to_call == 4
    assert State.REFUSED not in +Counter(start.counts)


def test_a_rehearsal_begins_with_nothing(half_done: Checkpoint) -> None:
    start = prepare(half_done, Settings(endpoint=ENDPOINT, sandbox=True), PAST_RUN, listed=False)
    assert (+Counter(start.counts), start.to_call, start.before.has_deleted) == ({}, 0, False)


@pytest.mark.parametrize("read_all", [True, False])
def test_the_end_counts_what_the_input_left_out_only_where_it_was_read(
    half_done: Checkpoint, *, read_all: bool
) -> None:
    start = prepare(half_done, Settings(endpoint=ENDPOINT), PAST_RUN, listed=True)
    half_done.add(entries("4"))
    end = read_end(half_done, start.counts, Counter(), read_all=read_all)
    assert (end.in_doubt, end.never_deleted) == (1, False)
    assert end.unlisted == (2 if read_all else None)


def test_where_the_checkpoint_fails_the_end_is_what_was_recorded(
    half_done: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_checkpoint: Checkpoint) -> dict[State, int]:
        raise CheckpointError("the disk is gone")

    monkeypatch.setattr(Checkpoint, "counts", fails)
    end = read_end(half_done, {State.DELETED: 1}, Counter({State.DELETED: 2}), read_all=True)
    assert end == EndState({State.DELETED: 3})
