"""A disk below SQLite that remembers every write and sync, fails on demand, and shows what a power cut leaves.

The model is what POSIX promises and no more: of what was written since a file's last sync any sectors may be
there or not, of names made or removed since the folder's last sync the earlier ones may be there.
"""

import contextlib
import itertools
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import apsw

SECTOR = 512
_SYNCS_FOLDER = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL


class Op(NamedTuple):
    """One thing that SQLite did to a file, or (`kind` "mark") that somebody outside was told."""

    kind: str  # write, truncate, sync, link, unlink, mark
    name: str = ""
    offset: int = 0
    data: bytes = b""
    folder_too: bool = False
    mark: Any = None


class Disk:
    """What happened so far, in order. `fail_at` lets the n-th write or sync fail, counted from 1.

    With `for_good`, every one after it fails as well.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.touched = 0
        self.fail_at = 0
        self.for_good = False
        self.failure: type[apsw.Error] = apsw.IOError
        self.names: set[str] = set()
        self.unsynced_names: set[str] = set()

    def touch(self, op: Op) -> None:
        """Note an operation, or fail instead."""
        self.touched += 1
        if self.fail_at and (self.touched == self.fail_at or (self.for_good and self.touched > self.fail_at)):
            raise self.failure("the disk failed")
        self.ops.append(op)

    def mark(self, what: Any) -> None:
        """Note that somebody outside was told something."""
        self.ops.append(Op("mark", mark=what))

    @property
    def failed(self) -> bool:
        """Whether a write or sync has failed."""
        return 0 < self.fail_at <= self.touched


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, base: str, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        super().__init__(base, name, flags)
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        self._name = Path(path).name
        self._syncs_folder = bool(flags[0] & _SYNCS_FOLDER)
        if self._name not in disk.names:
            disk.names.add(self._name)
            disk.unsynced_names.add(self._name)
            disk.ops.append(Op("link", self._name))

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 -- apsw's name
        self._disk.touch(Op("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 -- apsw's name
        self._disk.touch(Op("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 -- apsw's signature
        # As SQLite's own files do: the first sync of a new journal or log is one of its folder, too.
        folder_too = self._syncs_folder and self._name in self._disk.unsynced_names
        self._disk.touch(Op("sync", self._name, folder_too=folder_too))
        self._disk.unsynced_names.discard(self._name)
        # Not synced for real: this machine's power stays on.


class _Files(apsw.VFS):
    def __init__(self, disk: Disk, name: str) -> None:
        super().__init__(name, "")
        self.own_name = name
        self._disk = disk

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 -- apsw's name
        return _File(self._disk, "", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802 -- apsw's signature
        super().xDelete(filename, False)  # noqa: FBT003 -- the same
        name = Path(filename).name
        self._disk.names.discard(name)
        self._disk.unsynced_names.discard(name)
        self._disk.ops.append(Op("unlink", name, folder_too=syncdir))


class _Cursor:
    """As much of sqlite3.Cursor as a checkpoint needs."""

    def __init__(self, rows: Sequence[Any], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Any]:
        return self._rows

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)


class _Connection:
    """As much of sqlite3.Connection as a checkpoint needs, over apsw's."""

    def __init__(self, db: apsw.Connection, instead: Mapping[str, str]) -> None:
        self._db = db
        self._instead = instead

    def execute(self, sql: str, values: Sequence[Any] = ()) -> _Cursor:
        sql = self._instead.get(sql, sql)
        return self._do(lambda: list(self._db.execute(sql, tuple(values))))

    def executemany(self, sql: str, values: Iterable[Sequence[Any]]) -> _Cursor:
        return self._do(lambda: list(self._db.executemany(sql, map(tuple, values))))

    @property
    def total_changes(self) -> int:
        return self._db.total_changes()

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        with contextlib.suppress(apsw.Error):  # sqlite3 says nothing of what fails while it closes
            self._db.close()

    def _do(self, work: Callable[[], list[Any]]) -> _Cursor:
        before = self._db.total_changes()
        try:
            rows = work()
        except apsw.Error as error:
            raise sqlite3.OperationalError(str(error)) from error
        return _Cursor(rows, self._db.total_changes() - before)


def connect_to(
    disk: Disk, *, instead: Mapping[str, str] | None = None
) -> Callable[[str], sqlite3.Connection]:
    """Return a connection factory over `disk`; statements that are keys of `instead` become their values."""
    files = _Files(disk, f"disk-{id(disk)}")

    def connect(uri: str) -> sqlite3.Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        db = apsw.Connection(uri.removesuffix("?mode=rw"), flags=flags, vfs=files.own_name)
        return cast("sqlite3.Connection", _Connection(db, instead or {}))

    return connect


@dataclass
class _Content:
    """One file's bytes: those that are synced, and what was done since."""

    synced: bytes = b""
    since: list[Op] = field(default_factory=list)


Choose = Callable[[Op, bool], list[Op]]
"""What is left of an operation that was not synced; the flag is True for the file's last one."""


def nothing(_op: Op, _last: bool) -> list[Op]:  # noqa: FBT001 -- a Choose
    """Everything since the last sync is gone."""
    return []


def everything(op: Op, _last: bool) -> list[Op]:  # noqa: FBT001 -- a Choose
    """Nothing is gone."""
    return [op]


def torn(op: Op, last: bool) -> list[Op]:  # noqa: FBT001 -- a Choose
    """Of the last write, only the first half of the sectors is there."""
    if not last or op.kind != "write":
        return [op]
    return [op._replace(data=op.data[: max(1, len(op.data) // SECTOR // 2) * SECTOR])]


def some(luck: random.Random) -> Choose:
    """Any sectors may be there or not."""

    def choose(op: Op, _last: bool) -> list[Op]:  # noqa: FBT001 -- a Choose
        if op.kind != "write":
            return [op] if luck.random() < 0.5 else []
        # Sectors are those of the disk, not of the write.
        first = (SECTOR - op.offset % SECTOR) % SECTOR
        cuts = [0, *range(first or SECTOR, len(op.data), SECTOR), len(op.data)]
        pieces = [
            op._replace(offset=op.offset + a, data=op.data[a:b]) for a, b in itertools.pairwise(cuts) if a < b
        ]
        return [piece for piece in pieces if luck.random() < 0.5]

    return choose


class Platter:
    """What is on the disk after each operation, and what a power cut would leave of it."""

    def __init__(self) -> None:
        self._names: dict[str, _Content] = {}
        self._synced_names: dict[str, _Content] = {}
        self._names_since: list[tuple[str, _Content | None]] = []

    def do(self, op: Op) -> None:
        """Take in the next operation."""
        match op.kind:
            case "link":
                made = self._names[op.name] = _Content()
                self._names_since.append((op.name, made))
            case "unlink":
                self._names.pop(op.name, None)
                self._names_since.append((op.name, None))
            case "write" | "truncate":
                self._names[op.name].since.append(op)
            case "sync":
                content = self._names[op.name]
                content.synced, content.since = _applied(content.synced, content.since), []
        if op.folder_too:
            self._synced_names, self._names_since = dict(self._names), []

    def left(self, choose: Choose, names_kept: float) -> Mapping[str, bytes]:
        """Return the files after a power cut now; `names_kept` is the part of new and removed names that held."""
        names = dict(self._synced_names)
        for name, content in self._names_since[: round(names_kept * len(self._names_since))]:
            if content is None:
                names.pop(name, None)
            else:
                names[name] = content
        return {
            name: _applied(
                content.synced,
                [p for n, op in enumerate(content.since, 1) for p in choose(op, n == len(content.since))],
            )
            for name, content in names.items()
        }


def _applied(data: bytes, ops: Sequence[Op]) -> bytes:
    now = bytearray(data)
    for op in ops:
        if op.kind == "truncate":
            del now[op.offset :]
            now.extend(bytes(op.offset - len(now)))
        else:
            now.extend(bytes(max(0, op.offset - len(now))))
            now[op.offset : op.offset + len(op.data)] = op.data
    return bytes(now)
