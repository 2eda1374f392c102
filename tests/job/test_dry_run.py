"""What a run would do, found out beforehand."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowreaper.errors import ConfigurationError, InputError
from flowreaper.job import dry_run as module
from flowreaper.job.dry_run import Plan, plan
from flowreaper.model import AnyEntry, Flow, Retry, State
from flowreaper.store.sqlite.checkpoint import Checkpoint, open_checkpoint
from flowreaper.store.store import Identity
from tests.samples import IDENTITY, REFUSAL, entries, invalid, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


@contextlib.contextmanager
def half_done(path: Path) -> Iterator[Checkpoint]:
    """1 deleted, 2 refused, 3 claimed, 4 and 5 pending, and an invalid line."""
    with contextlib.closing(open_checkpoint(path, IDENTITY)) as checkpoint:
        checkpoint.add([*entries("1", "2", "3", "4", "5"), invalid("x y")])
        one, two, _ = checkpoint.write([], new=3)
        checkpoint.write([outcome(one), outcome(two, State.REFUSED, REFUSAL)])
        yield checkpoint


def test_without_a_checkpoint_everything_is_new_and_nothing_is_made(path: Path) -> None:
    found = plan([entries("1", "2", "1"), [*entries("2", "3"), invalid("x y")]], path, IDENTITY)
    assert found == Plan(
        new=3,
        unfinished=0,
        finished=0,
        reopened=0,
        repeated=2,
        invalid=1,
        sample=(Flow("1"), Flow("2"), Flow("3")),
        invalid_sample=(invalid("x y"),),
    )
    assert found.to_call == 3
    assert list(path.parent.iterdir()) == []


def test_the_input_is_compared_with_the_checkpoint(path: Path) -> None:
    with half_done(path):
        pass
    found = plan([entries("1", "2", "3", "4", "6", "7")], path, IDENTITY)
    assert (found.new, found.unfinished, found.finished, found.reopened) == (2, 2, 2, 0)
    assert found.unlisted == 1
    assert found.to_call == 4


def test_without_an_input_everything_unfinished_and_all_that_is_taken_again_counts(path: Path) -> None:
    with half_done(path):
        pass
    found = plan([], path, IDENTITY, Retry((State.REFUSED, State.GAVE_UP)), listed=False)
    assert (found.new, found.unfinished, found.reopened, found.to_call) == (0, 3, 1, 4)
    assert found.sample == tuple(map(Flow, "2345"))
    assert plan([], path, IDENTITY, Retry((State.REFUSED,), ("no such code",)), listed=False).reopened == 0


def test_flows_that_are_taken_again_count_where_the_input_lists_them(path: Path) -> None:
    with half_done(path):
        pass
    retry = Retry((State.REFUSED,))
    assert plan([entries("6")], path, IDENTITY, retry).reopened == 0
    found = plan([entries("1", "2", "3")], path, IDENTITY, retry)
    assert (found.unfinished, found.finished, found.reopened, found.unlisted) == (1, 1, 1, 2)


def test_what_will_be_emptied_before_the_run_counts_for_nothing(path: Path) -> None:
    with half_done(path):
        pass
    assert plan([entries("1", "2", "3")], path, IDENTITY, afresh=True).to_call == 3


def test_the_same_id_in_another_space_is_new(path: Path) -> None:
    with half_done(path):
        pass
    assert plan([entries("1", space="cams-a")], path, IDENTITY).new == 1


def test_what_a_run_would_do_is_told_while_one_goes_on_and_changes_nothing(path: Path) -> None:
    with half_done(path) as checkpoint:
        before = {f.name: f.read_bytes() for f in path.parent.iterdir() if f.suffix != ".ckpt-shm"}
        assert plan([entries("5", "6")], path, IDENTITY).to_call == 2
        assert {f.name for f in path.parent.iterdir()} >= set(before)
        assert {name: (path.parent / name).read_bytes() for name in before} == before
        assert checkpoint.counts()[State.PENDING] == 2


def test_a_plain_checkpoint_is_left_byte_for_byte_as_it_was(path: Path) -> None:
    with half_done(path):
        pass
    before = path.read_bytes()
    plan([entries("5", "6")], path, IDENTITY)
    assert [f.name for f in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_an_empty_file_as_a_crash_leaves_it_counts_as_no_checkpoint(path: Path) -> None:
    path.touch()
    assert plan([entries("1")], path, IDENTITY).to_call == 1
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_text("346699123\n"),
        lambda path: open_checkpoint(path, Identity("https://else.example", False, "k")).close(),  # noqa: FBT003 -- a field
        Path.mkdir,
    ],
    ids=["text", "another job", "a folder"],
)
def test_a_checkpoint_that_is_not_this_jobs_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(ConfigurationError, match=r"ids\.txt\.ckpt"):
        plan([entries("1")], path, IDENTITY)


def test_a_source_that_cannot_be_read_is_raised(path: Path) -> None:
    def unreadable() -> Iterator[AnyEntry]:
        yield from entries("1")
        raise InputError("cannot read it")

    with pytest.raises(InputError, match="cannot read it"):
        plan([unreadable()], path, IDENTITY)


def test_samples_are_short_however_the_input_is_cut_into_batches(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 4)
    lines = [*entries(*map(str, range(7))), *(invalid(f"x {n}") for n in range(7))]
    found = plan([lines[:5], lines[5:]], path, IDENTITY)
    assert found.sample == tuple(Flow(str(n)) for n in range(5))
    assert [e.text for e in found.invalid_sample] == [f"x {n}" for n in range(5)]
    assert (found.new, found.invalid) == (7, 7)


def test_the_sample_is_of_flows_that_would_be_called_each_once(path: Path) -> None:
    with half_done(path):
        pass
    found = plan([entries("1", "6", "2", "7", "6", "4")], path, IDENTITY)
    assert found.sample == tuple(map(Flow, "674"))
    again = plan([entries("1", "6", "2")], path, IDENTITY, Retry((State.REFUSED,)))
    assert again.sample == tuple(map(Flow, "62"))
    assert plan([entries("1")], path, IDENTITY).failed == 2
