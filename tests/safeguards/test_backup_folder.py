"""A backup's folder: what is in it, who may have it, and what is left of it whenever a write stops."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.errors import BackupInUseError, ConfigurationError
from flowreaper.safeguards.backup_entry import BackupEntry, Origin, Saved, digest_of, read_line
from flowreaper.safeguards.backup_folder import held_folder
from tests.safeguards.samples import JSON, ORIGIN, saved


def save(path: Path, *flows: Saved, origin: Origin = ORIGIN) -> None:
    with held_folder(path, make=True) as folder:
        folder.begin(origin)
        folder.save(flows, origin)


def index(path: Path) -> list[BackupEntry]:
    """Return the entries of an index; each must be of a whole folder."""
    entries = [read_line(line) for line in (path / "index.jsonl").read_bytes().splitlines(keepends=True)]
    found = [entry for entry in entries if entry]
    assert len(found) == len(entries)
    for entry in found:
        details = json.loads((path / entry.folder / "details.json").read_bytes())
        assert details["flowreaper"]["flow_id"] == entry.flow_id
        if entry.sha256 is None:
            assert not (path / entry.file).exists()
        else:
            assert digest_of((path / entry.file).read_bytes()) == entry.sha256
    return found


def tree(path: Path) -> dict[str, int]:
    """Return what is below a folder, with its modes."""
    return {str(each.relative_to(path)): each.lstat().st_mode & 0o777 for each in sorted(path.rglob("*"))}


def test_a_person_finds_a_folder_for_each_flow_and_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    save(path, saved("1"), saved("2", "cams-x", content=None))
    assert tree(path) == {
        ".lock": 0o600,
        "README.txt": 0o600,
        "account": 0o700,
        "account/1": 0o700,
        "account/1/details.json": 0o600,
        "account/1/flow.json": 0o600,
        "cams-x": 0o700,
        "cams-x/2": 0o700,
        "cams-x/2/details.json": 0o600,
        "index.jsonl": 0o600,
    }
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "account/1/flow.json").read_bytes() == JSON
    assert [(entry.flow_id, entry.folder) for entry in index(path)] == [("1", "account/1"), ("2", "cams-x/2")]
    readme = (path / "README.txt").read_text()
    assert ORIGIN.account in readme
    assert ORIGIN.endpoint in readme
    assert "flowreaper restore saved" in readme


def test_a_second_job_adds_and_a_flow_that_is_saved_again_keeps_its_former_copy(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    save(path, saved("1"))
    save(path, saved("2"), saved("1", content=b"[]"))
    save(path, saved("1", content=None))
    assert [(entry.flow_id, entry.folder) for entry in index(path)] == [
        ("1", "account/1"),
        ("2", "account/2"),
        ("1", "account/1~2"),
        ("1", "account/1~3"),
    ]
    assert (path / "account/1/flow.json").read_bytes() == JSON


def test_a_folder_may_be_there_if_it_is_empty(tmp_path: Path) -> None:
    save(tmp_path, saved("1"))
    assert len(index(tmp_path)) == 1


def test_a_folder_that_holds_other_things_is_not_littered(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ConfigurationError, match=r"other things \(thesis.tex\)"):
        save(tmp_path, saved("1"))
    assert list(tree(tmp_path)) == ["thesis.tex"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "in no folder"])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "saved"
    (tmp_path / "other").mkdir()
    if kind == "link":
        path.symlink_to("other")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    elif kind == "file":
        path.touch()
    else:
        path = tmp_path / "missing" / "saved"
    with pytest.raises(ConfigurationError, match="cannot be used for a backup"):
        save(path, saved("1"))
    assert list((tmp_path / "other").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("part", [".lock", "index.jsonl"])
def test_a_link_in_the_place_of_a_file_is_refused(tmp_path: Path, part: str) -> None:
    path, other = tmp_path / "saved", tmp_path / "other"
    save(path, saved("1"))
    (path / part).unlink()
    (path / part).symlink_to(other)
    with pytest.raises(ConfigurationError, match="cannot be used for a backup"):
        save(path, saved("2"))
    assert not other.exists()


@pytest.mark.parametrize("part", ["account", "account/~new"])
def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path, part: str) -> None:
    path, other = tmp_path / "saved", tmp_path / "other"
    save(path, saved("1", "cams-x"))
    other.mkdir()
    (path / part).parent.mkdir(exist_ok=True)
    (path / part).symlink_to(other)
    with pytest.raises(OSError):  # noqa: PT011 -- which one is the system's choice
        save(path, saved("2"))
    assert list(other.iterdir()) == []
    assert len((path / "index.jsonl").read_bytes().splitlines()) == 1


def test_a_link_in_the_place_of_a_flows_folder_is_passed_by(tmp_path: Path) -> None:
    path, other = tmp_path / "saved", tmp_path / "other"
    save(path, saved("1"))
    (path / "account" / "2").symlink_to(other)
    save(path, saved("2"))
    assert index(path)[-1].folder == "account/2~2"
    assert not other.exists()


def test_another_accounts_flows_are_not_mixed_in(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    save(path, saved("1"))
    with pytest.raises(ConfigurationError, match=r"of the account 1000000000000001, .* of 2000000000000002"):
        save(path, saved("2"), origin=Origin("2000000000000002", ORIGIN.endpoint))
    save(path, saved("3"), origin=Origin("", ORIGIN.endpoint))  # a run that did not ask
    assert [entry.flow_id for entry in index(path)] == ["1", "3"]


@pytest.mark.parametrize("first", ["http://127.0.0.1:1", ORIGIN.endpoint])
def test_a_rehearsals_flows_are_not_mixed_with_real_ones(tmp_path: Path, first: str) -> None:
    path = tmp_path / "saved"
    other = ORIGIN.endpoint if first.startswith("http:") else "http://127.0.0.1:1"
    save(path, saved("1"), origin=Origin("", first))
    with pytest.raises(ConfigurationError, match=r"holds flows of (a sandbox|the service), and this run"):
        save(path, saved("2"), origin=Origin("", other))
    save(path, saved("3"), origin=Origin("", f"{first}2"))  # another sandbox, or another region
    assert [entry.flow_id for entry in index(path)] == ["1", "3"]


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    save(path, saved("1"))
    with (path / ".lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BackupInUseError, match="another process has the backup"):
            save(path, saved("2"))
    save(path, saved("2"))


def test_to_read_a_backup_makes_none(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigurationError, match="no backup"), held_folder(path, make=False):
            pass
    assert list(tmp_path.iterdir()) == []


NAMES = st.one_of(st.text(min_size=1, max_size=8), st.text("./~%\0aA", min_size=1, max_size=300))


@settings(max_examples=40)
@given(flows=st.lists(st.tuples(NAMES, st.one_of(st.just(""), NAMES)), max_size=4))
def test_whatever_ids_and_spaces_hold_nothing_is_written_elsewhere(
    tmp_path_factory: pytest.TempPathFactory, flows: list[tuple[str, str]]
) -> None:
    above = tmp_path_factory.mktemp("above")
    path = above / "saved"
    save(path, *(saved(*flow) for flow in flows))
    assert [entry.flow for entry in index(path)] == flows
    assert list(above.iterdir()) == [path]
    assert all(len(Path(name).parts) <= 3 for name in tree(path))


# What is called between a flow's arrival and the moment when it is durable; each of these may fail, or be the last.
CALLS = ("mkdir", "open", "write", "fsync", "rename", "rmdir", "unlink")


class Stop(BaseException):
    """The process ends here."""


class Failing:
    """Lets this many calls of the system pass; the next one fails, or is the last of the process."""

    def __init__(self, patch: pytest.MonkeyPatch, passed: int, error: BaseException) -> None:
        self.left = passed
        self.failed = ""
        self._error = error
        for name in CALLS:
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self.failed and isinstance(self._error, Stop):
                raise self._error  # a process that has ended does no more
            self.left -= 1
            if self.left < 0 and not self.failed:
                self.failed = name
                if name == "write":
                    call(arguments[0], arguments[1][:5])
                raise self._error
            return call(*arguments, **options)

        return wrapped


@pytest.mark.parametrize(
    "error", [Stop(), OSError(errno.ENOSPC, "No space left on device")], ids=["crash", "full"]
)
def test_wherever_a_save_stops_no_line_is_of_half_a_flow_and_the_next_one_goes_on(
    tmp_path: Path, error: BaseException
) -> None:
    reached = set()
    for passed in range(1000):
        path = tmp_path / str(passed)
        save(path, saved("1"), saved("9", "cams-y"))
        with held_folder(path, make=True) as folder, pytest.MonkeyPatch.context() as patch:
            folder.begin(ORIGIN)
            failing = Failing(patch, passed, error)
            try:
                folder.save([saved("2"), saved("3", "cams-x"), saved("1", content=b"[]")], ORIGIN)
            except (Stop, OSError):
                patch.undo()
        reached.add(failing.failed)
        save(path, saved("4"), saved("5", "cams-x"), saved("2"))
        found = [entry.flow_id for entry in index(path)]
        # A line may be there without the promise that it is: the last sync was about to begin.
        assert found[:2] == ["1", "9"]
        assert found[-3:] == ["4", "5", "2"]
        assert found[2:-3] in (["2", "3", "1"][:n] for n in range(4))
        assert not list(path.glob("*/~new"))
        if not failing.failed:
            assert found[2:-3] == ["2", "3", "1"]
            break
    assert reached == {"mkdir", "open", "write", "fsync", "rename", ""}


SAVER = """
import sys
from pathlib import Path
from flowreaper.safeguards.backup_folder import held_folder
from tests.safeguards.samples import ORIGIN, saved
with held_folder(Path(sys.argv[1]), make=True) as folder:
    folder.begin(ORIGIN)
    for number in range(100_000):
        folder.save([saved(sys.argv[2] + str(number))], ORIGIN)
        print(sys.argv[2] + str(number), flush=True)
"""


def test_what_was_said_to_be_saved_survives_kills(tmp_path: Path) -> None:
    path, told = tmp_path / "saved", []
    for number in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", SAVER, str(path), f"{number}-"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        ) as process:
            assert process.stdout
            told += [process.stdout.readline().strip() for _ in range(5 + 7 * number)]
            process.kill()
            told += [line.strip() for line in process.stdout if line.endswith("\n")]
    save(path, saved("last"))
    found = [entry.flow_id for entry in index(path)]
    assert set(told) <= set(found)
    assert len(found) <= len(told) + 5 + 1


def test_everything_is_synced_before_what_says_that_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut loses what is not synced, in any order; kills do not show that."""
    paths: dict[int, str] = {}
    done: list[tuple[str, str]] = []
    open_, write, fsync, rename = os.open, os.write, os.fsync, os.rename

    def opened(name: Any, *arguments: Any, dir_fd: int | None = None, **options: Any) -> int:
        fd = open_(name, *arguments, dir_fd=dir_fd, **options)
        paths[fd] = os.path.join(paths[dir_fd], name) if dir_fd else str(name)  # noqa: PTH118 -- of a descriptor
        return fd

    def written(fd: int, content: bytes) -> int:
        done.append(("write", paths[fd]))
        return write(fd, content)

    def synced(fd: int) -> None:
        done.append(("sync", paths[fd]))
        fsync(fd)

    def renamed(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        done.append(("rename", os.path.join(paths[dst_dir_fd], new)))  # noqa: PTH118 -- of a descriptor
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    for name, call in (("open", opened), ("write", written), ("fsync", synced), ("rename", renamed)):
        monkeypatch.setattr(os, name, call)
    path = tmp_path / "saved"
    save(path, saved("1"))
    monkeypatch.undo()
    root, new = str(path), f"{path}/account/~new"
    steps = [
        ("sync", str(tmp_path)),  # the folder is there
        ("sync", root),  # its files are
        ("sync", f"{new}/details.json"),
        ("sync", f"{new}/flow.json"),
        ("sync", new),
        ("rename", f"{root}/account/1"),
        ("sync", f"{root}/account"),
        ("write", f"{root}/index.jsonl"),
        ("sync", f"{root}/index.jsonl"),
    ]
    places = [done.index(step) for step in steps]
    assert places == sorted(places)
    assert done[-1] == steps[-1]
    # The folder of the space is in the folder above before a line says so.
    assert ("sync", root) in done[done.index(("write", f"{new}/details.json")) - 1 :: -1]
    spaces = [place for place, step in enumerate(done) if step == ("sync", root)]
    assert len(spaces) == 2
