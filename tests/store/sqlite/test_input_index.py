"""What an input lists, compared with a checkpoint."""

import sqlite3
from pathlib import Path

import pytest

from flowreaper.errors import CheckpointError
from flowreaper.store.sqlite import input_index as module
from flowreaper.store.sqlite.input_index import InputIndex


def test_a_checkpoint_that_cannot_be_attached_leaves_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[sqlite3.Connection] = []

    def connect(uri: str) -> sqlite3.Connection:
        opened.append(sqlite3.connect(uri, uri=True, isolation_level=None))
        return opened[-1]

    monkeypatch.setattr(module, "connect", connect)
    with (
        pytest.raises(CheckpointError, match=r"nowhere\.ckpt"),
        InputIndex(tmp_path / "nowhere.ckpt", exists=True),
    ):
        pass
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
