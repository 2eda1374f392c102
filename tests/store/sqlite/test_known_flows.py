"""What a checkpoint knows of flows that a program names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointError
from flowreaper.model import Flow, Retry, State
from flowreaper.store.records import record_of
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.reader import read_records
from tests.samples import IDENTITY, REFUSAL, entries, invalid, outcome

NO_RETRY = Retry()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    """A checkpoint with six flows: the first is deleted, the second refused, the third claimed."""
    opened = open_checkpoint(tmp_path / "job.ckpt", IDENTITY)
    opened.add([*entries("1", "2", "3", "4", "0005"), *entries("1", space="cams-a"), invalid("no id")])
    first, second, _ = opened.write([], new=3)
    opened.write([outcome(first), outcome(second, State.REFUSED, REFUSAL)])
    yield opened
    opened.close()


def test_only_finished_ones_of_the_named_flows_and_lines_are_found_each_once(checkpoint: Checkpoint) -> None:
    named = [*entries("1", "2", "3", "4", "9", "1", "0005", "5"), invalid("no id"), invalid("other")]
    found = checkpoint.known.finished(named)
    assert {(record.flow_id, record.state) for record in found} == {
        ("1", State.DELETED),
        ("2", State.REFUSED),
        ("no id", State.INVALID),
    }
    assert len(found) == 3
    assert set(found) <= set(read_records(checkpoint.path))


def test_a_flow_of_another_space_is_another_flow(checkpoint: Checkpoint) -> None:
    assert checkpoint.known.finished(entries("1", space="cams-a")) == []
    claims = checkpoint.write([], new=10)
    (mine,) = (claim for claim in claims if claim.flow == Flow("1", "cams-a"))
    checkpoint.write([outcome(mine)])
    assert checkpoint.known.finished(entries("1", space="cams-a")) == [record_of(outcome(mine))]


def test_nothing_is_found_of_nothing(checkpoint: Checkpoint) -> None:
    assert checkpoint.known.finished([]) == []


def test_the_unfinished_flows_come_in_pages_in_the_order_of_reading(checkpoint: Checkpoint) -> None:
    first = checkpoint.known.unfinished(0, 2, NO_RETRY)
    assert [flow for _, flow in first] == [Flow("3"), Flow("4")]
    rest = checkpoint.known.unfinished(first[-1][0], 10, NO_RETRY)
    assert [flow for _, flow in rest] == [Flow("0005"), Flow("1", "cams-a")]
    assert checkpoint.known.unfinished(rest[-1][0], 10, NO_RETRY) == []


def test_finished_flows_that_are_to_be_taken_again_are_among_them(checkpoint: Checkpoint) -> None:
    def named(retry: Retry) -> list[str]:
        return [flow.flow_id for _, flow in checkpoint.known.unfinished(0, 2, retry)]

    assert named(Retry((State.REFUSED,))) == ["2", "3"]
    assert named(Retry((State.REFUSED,), (REFUSAL.code,))) == ["2", "3"]
    assert named(Retry((State.REFUSED,), ("Other.Code",))) == ["3", "4"]


def test_a_damaged_row_is_a_checkpoint_error(checkpoint: Checkpoint) -> None:
    checkpoint._db.execute("UPDATE flow SET attempts = 'x' WHERE flow_id = '1'")
    with pytest.raises(CheckpointError, match="stands where a number belongs"):
        checkpoint.known.finished(entries("1"))
