import stat
from pathlib import Path
from typing import Self

import pytest

from flowreaper.cli.new_file import check_new, new_file, write_whole
from flowreaper.errors import ConfigurationError, OutputError


def test_a_file_is_new_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_whole(path, "héllo")
    assert path.read_text(encoding="utf-8") == "héllo"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_neither_a_file_nor_what_a_link_points_to_is_overwritten(tmp_path: Path) -> None:
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for path in (mine, link):
        with pytest.raises(ConfigurationError, match="already exists"):
            check_new(path, tmp_path / "job.ckpt")
        with pytest.raises(ConfigurationError, match="already exists"):
            write_whole(path, "page")
    assert mine.read_text() == "mine"
    assert link.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_the_checkpoint_and_what_lies_beside_it_are_named(tmp_path: Path) -> None:
    checkpoint = tmp_path / "job.ckpt"
    for name in ("job.ckpt", "job.ckpt-wal"):
        with pytest.raises(ConfigurationError, match="of the checkpoint's own"):
            check_new(tmp_path / name, checkpoint)
    check_new(tmp_path / "new", checkpoint)
    check_new(Path("-"), checkpoint)
    check_new(None, checkpoint)


def test_a_folder_that_is_not_there_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"page\.html: cannot be made"):
        write_whole(tmp_path / "none" / "page.html", "page")


def test_what_cannot_be_written_whole_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    path = tmp_path / "page.html"
    monkeypatch.setattr("flowreaper.cli.new_file.os.fdopen", Full)
    with pytest.raises(OutputError, match=r"page\.html: No space left on device"):
        write_whole(path, "page")
    assert not path.exists()


def test_what_is_written_piece_by_piece_stays_where_the_disk_is_full(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"

    def write() -> None:
        with new_file(path) as out:
            out.write(b"first\n")
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="not all of it"):
        write()
    assert path.read_bytes() == b"first\n"
