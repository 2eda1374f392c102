"""Files beside a checkpoint."""

import os
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointRefusedError
from flowreaper.store.sqlite.companions import (
    companion_named,
    look,
    refuse_beside_saved,
    refuse_lone_log,
    saved_names,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ids.txt.ckpt"


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
def test_a_name_of_sqlites_is_known_before_there_is_a_file_and_under_another_name(
    path: Path, tmp_path: Path, end: str
) -> None:
    own = tmp_path / f"ids.txt.ckpt{end}"
    assert companion_named(path, own) == own.name
    own.touch()
    os.link(own, tmp_path / "other")
    assert companion_named(path, tmp_path / "other") == own.name


def test_another_file_is_no_companion(path: Path, tmp_path: Path) -> None:
    path.touch()
    assert companion_named(path, tmp_path / "results.jsonl") == ""


@pytest.mark.parametrize("is_empty", [True, False])
def test_a_log_without_its_checkpoint_is_refused(path: Path, tmp_path: Path, *, is_empty: bool) -> None:
    if is_empty:
        path.touch()
    refuse_lone_log(path)
    (tmp_path / "ids.txt.ckpt-wal").write_bytes(b"log")
    with pytest.raises(CheckpointRefusedError, match=r"ids\.txt\.ckpt-wal, which SQLite would remove"):
        refuse_lone_log(path)
    path.write_bytes(b"checkpoint")
    refuse_lone_log(path)


def test_a_saved_copy_is_refused_under_each_of_its_names(path: Path) -> None:
    refuse_beside_saved(path)
    for saved in (names := list(saved_names(path))):
        saved.touch()
        with pytest.raises(CheckpointRefusedError, match=f"there is {saved.name}"):
            refuse_beside_saved(path)
        saved.unlink()
    assert [name.name for name in names[:2]] == ["ids.txt.ckpt.saved", "ids.txt.ckpt.saved.2"]


def test_a_link_is_looked_at_itself(path: Path) -> None:
    assert look(path) is None
    path.symlink_to("nowhere")
    assert look(path) is not None
