"""Why flows ended as they did, and where they came from, counted in a checkpoint."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.model import Cause, Flow, Reply, State
from flowreaper.store.history import Minute
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.sqlite.reader import read_overview, read_records
from tests.samples import IDENTITY, OK, PAST_RUN, REFUSAL, entries, invalid, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.ckpt"


@pytest.fixture
def checkpoint(path: Path) -> Iterator[Checkpoint]:
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as made:
        yield made


def finish(checkpoint: Checkpoint, *ends: tuple[State, Reply]) -> None:
    """Add as many flows as there are ends, and let them end so."""
    known = sum(checkpoint.counts().values())
    checkpoint.add(entries(*(str(known + number) for number in range(1, len(ends) + 1))))
    claims = checkpoint.write([], new=len(ends))
    checkpoint.write(
        [
            outcome(claim, state, reply, inferred=state is State.DELETED and reply is not OK)
            for claim, (state, reply) in zip(claims, ends, strict=True)
        ]
    )


def test_causes_are_counted_by_code_with_the_first_flows_of_each(checkpoint: Checkpoint) -> None:
    finish(
        checkpoint,
        (State.DELETED, OK),
        *[(State.REFUSED, Reply(400, "Rare", "m"))] * 1,
        *[(State.REFUSED, REFUSAL)] * 5,
        (State.GAVE_UP, Reply(0)),
        (State.ABSENT, Reply(404, "Flow.NotExist")),
    )
    checkpoint.add([invalid("no id")])
    assert [
        (c.state, c.code, c.flows, [f.flow_id for f in c.sample]) for c in checkpoint.outcomes.causes()
    ] == [
        (State.INVALID, "", 1, ["no id"]),
        (State.GAVE_UP, "", 1, ["8"]),
        (State.REFUSED, "Some.Code", 5, ["3", "4", "5"]),
        (State.REFUSED, "Rare", 1, ["2"]),
        (State.ABSENT, "Flow.NotExist", 1, ["9"]),
    ]


def test_a_confirmed_deletion_needs_no_cause_and_an_inferred_one_has_one(checkpoint: Checkpoint) -> None:
    finish(checkpoint, (State.DELETED, OK), (State.DELETED, Reply(404, "Flow.NotExist")))
    assert checkpoint.outcomes.causes() == (Cause(State.DELETED, "Flow.NotExist", 1, (Flow("2"),)),)


def test_of_very_many_codes_the_most_frequent_are_kept(checkpoint: Checkpoint) -> None:
    codes = [Reply(400, f"C{number % 60}") for number in range(90)]
    finish(checkpoint, *((State.REFUSED, reply) for reply in codes))
    causes = checkpoint.outcomes.causes()
    assert [cause.flows for cause in causes] == [2] * 20


def test_an_overview_counts_sources_and_spaces_and_has_the_history(
    path: Path, checkpoint: Checkpoint
) -> None:
    checkpoint.add(entries("1", "2", source="a.txt"))
    checkpoint.add(entries("1", "3", source="b.txt", space="cams-x"))
    checkpoint.add([invalid("no id")])
    checkpoint.history.begin(PAST_RUN)
    checkpoint.history.save(PAST_RUN, [Minute(run=1, at_s=60)])
    overview = read_overview(path)
    assert overview.sources == {"a.txt": 2, "b.txt": 2, "ids.txt": 0}
    assert overview.spaces == {"": 2, "cams-x": 2}
    assert (len(overview.runs), len(overview.minutes)) == (1, 1)
    assert overview.status.states == {State.PENDING: 4, State.INVALID: 1}
    assert overview.causes == checkpoint.outcomes.causes()


def test_one_source_without_spaces_has_all_flows(path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.add(entries("1", "2", "3"))
    overview = read_overview(path)
    assert (overview.sources, overview.spaces) == ({"ids.txt": 3}, {"": 3})


def test_an_empty_checkpoint_has_no_parts(path: Path, checkpoint: Checkpoint) -> None:
    overview = read_overview(path)
    assert (overview.sources, overview.spaces, overview.causes, checkpoint.outcomes.causes()) == (
        {},
        {},
        (),
        (),
    )


def test_an_overview_is_of_one_moment_while_a_run_writes(
    path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(checkpoint, *[(State.REFUSED, REFUSAL)] * 2)
    checkpoint.add(entries("91", space="cams-x"))

    def while_it_is_read(*_: object) -> dict[str, int]:
        checkpoint.add(entries("92", "93", space="cams-x"))
        return {}

    monkeypatch.setattr("flowreaper.store.sqlite.causes.flows_by_source", while_it_is_read)
    overview = read_overview(path)
    assert overview.status.states == {State.REFUSED: 2, State.PENDING: 1}
    assert overview.spaces == {"": 2, "cams-x": 1}
    assert checkpoint.counts() == {State.REFUSED: 2, State.PENDING: 3}


def test_sources_are_named_as_in_the_records(path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.add([*entries("1", "2", source="-"), *entries("3", source="stdin")])
    checkpoint.add([*entries("4", "5", source="./stdin"), *entries("6", source="a.txt")])
    assert read_overview(path).sources == {"stdin": 2, "./stdin": 3, "a.txt": 1}
    assert {record.source for record in read_records(path)} == {"stdin", "./stdin", "a.txt"}
