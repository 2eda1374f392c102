"""What is read of a backup, and what is noticed where it is no longer what was saved."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import Saved
from flowreaper.safeguards.backup_folder import held_folder
from flowreaper.safeguards.backup_reader import BackupReader
from tests.safeguards.samples import JSON, ORIGIN, saved

Read = Callable[..., BackupReader]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def read(path: Path) -> Iterator[Read]:
    """Save flows, and read the backup."""
    opened: list[int] = []

    def read(*flows: Saved) -> BackupReader:
        with held_folder(path, make=True) as folder:
            folder.begin(ORIGIN)
            folder.save(flows, ORIGIN)
        opened.append(os.open(path, os.O_RDONLY))
        return BackupReader(opened[-1])

    yield read
    for fd in opened:
        os.close(fd)


def test_the_last_line_of_a_flow_counts(read: Read) -> None:
    reader = read(saved("1"), saved("1", "cams-x"), saved("2"), saved("1", content=None))
    found = reader.index()
    assert list(found.places) == [Flow("1", "cams-x"), Flow("2"), Flow("1")]
    assert reader.entry_at(found.places[Flow("1")]).folder == "account/1~2"
    assert found.unreadable == []


def test_lines_that_cannot_be_read_are_counted_and_half_a_line_is_none(read: Read, path: Path) -> None:
    reader = read(saved("1"))
    with (path / "index.jsonl").open("ab") as file:
        file.write(b'garbage\n{"flow_id": "9"}\n')
    read(saved("2"))
    with (path / "index.jsonl").open("ab") as file:
        file.write(b'{"flow_id"')
    found = reader.index()
    assert list(found.places) == [Flow("1"), Flow("2")]
    assert found.unreadable == [2, 3]


def test_an_index_with_an_endless_line_is_no_short_index(read: Read, path: Path) -> None:
    reader = read(saved("1"))
    with (path / "index.jsonl").open("ab") as file:
        file.write(2_000_000 * b"x" + b"\n")
    with pytest.raises(OSError, match="too long"):
        reader.index()


def test_a_whole_folder_has_no_damage(read: Read) -> None:
    reader = read(saved("1"), saved("2", content=None))
    for place in reader.index().places.values():
        assert reader.damage_of(reader.entry_at(place)) == ""


@pytest.mark.parametrize(
    ("spoil", "damage"),
    [
        (lambda folder: (folder / "flow.json").write_bytes(JSON + b" "), "flow.json is not what was saved"),
        (lambda folder: (folder / "flow.json").write_bytes(b""), "flow.json is not what was saved"),
        (lambda folder: (folder / "flow.json").unlink(), "flow.json: No such file"),
        (lambda folder: (folder / "details.json").write_bytes(b"{"), "details.json cannot be read"),
        (lambda folder: (folder / "details.json").unlink(), "details.json: No such file"),
        (lambda folder: folder.rename(folder.with_name("2")), "No such file"),
        (lambda folder: (folder.rename(folder.with_name("2")), folder.symlink_to("2")), "1: "),
        (lambda folder: folder.parent.rename(folder.parent.with_name("moved")), "No such file"),
    ],
)
def test_what_is_not_as_it_was_saved_is_noticed(
    read: Read, path: Path, spoil: Callable[[Path], object], damage: str
) -> None:
    reader = read(saved("1"))
    entry = reader.entry_at(0)
    spoil(path / "account" / "1")
    assert damage in reader.damage_of(entry)


@pytest.mark.parametrize(
    ("told", "found"),
    [({"EndpointUri": "https://e.example/x"}, "https://e.example/x"), ({}, ""), ({"EndpointUri": 1}, "")],
)
def test_the_endpoint_uri_is_what_get_flow_told(read: Read, told: dict[str, object], found: str) -> None:
    whole = saved("1")
    reader = read(whole._replace(details=whole.details._replace(content=told)))
    assert reader.endpoint_uri_of(reader.entry_at(0)) == found


def test_a_folder_that_is_gone_tells_no_endpoint_uri(read: Read, path: Path) -> None:
    reader = read(saved("1"))
    (path / "account").rename(path / "gone")
    assert reader.endpoint_uri_of(reader.entry_at(0)) == ""
