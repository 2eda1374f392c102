import hashlib
from pathlib import Path

import pytest

from flowreaper.errors import InputError
from flowreaper.model import Flow, State
from flowreaper.report.report import gather
from flowreaper.report.result_list import Kind
from flowreaper.sink.formats import json_line
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.sqlite.reader import read_records
from flowreaper.version import __version__
from tests.samples import IDENTITY, REFUSAL, entries, invalid, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A checkpoint with a flow deleted, one refused, one pending, and an invalid line."""
    path = tmp_path / "job.ckpt"
    checkpoint = open_checkpoint(path, IDENTITY)
    checkpoint.add([*entries("1", "2", "3"), invalid("two words")])
    first, second = checkpoint.write([], new=2)
    checkpoint.write([outcome(first), outcome(second, State.REFUSED, REFUSAL)])
    checkpoint.close()
    return path


def test_the_facts_are_those_of_the_checkpoint(path: Path) -> None:
    report = gather(path, json_line, lambda: 7)
    assert (report.checkpoint, report.made_at_ms, report.version) == (str(path), 7, __version__)
    assert report.overview.status.endpoint == IDENTITY.endpoint
    assert report.overview.sources == {"ids.txt": 3}
    assert report.results.samples[Kind(State.REFUSED, "Some.Code", inferred=False, in_doubt=False)] == (
        Flow("2"),
    )
    assert [report.results.count(state) for state in State] == [1, 0, 1, 0, 0, 1, 0, 1]
    whole = "".join(map(json_line, read_records(path))).encode()
    assert report.results.sha256 == hashlib.sha256(whole).hexdigest()
    assert not report.live
    assert report.missing == ""


def test_a_run_that_has_the_checkpoint_makes_it_a_snapshot(path: Path) -> None:
    checkpoint = open_checkpoint(path, IDENTITY)
    try:
        assert gather(path, json_line, lambda: 7).live
    finally:
        checkpoint.close()


def test_a_run_that_has_begun_once_the_list_is_read_makes_it_a_snapshot_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def has_run(at: Path) -> bool:
        looked.append(at)
        return True

    monkeypatch.setattr("flowreaper.report.report.has_run", has_run)
    report = gather(path, json_line, lambda: 7)
    assert (report.live, report.overview.status.live, looked) == (True, False, [path])


def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint"):
        gather(tmp_path / "none.ckpt", json_line, lambda: 7)
