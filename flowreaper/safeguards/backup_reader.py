"""Reads a backup: which flows it holds, and whether what it says of them is still there. Blocks."""

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import (
    DETAILS,
    FLOW_JSON,
    INDEX,
    BackupEntry,
    digest_of,
    json_object,
    read_line,
)
from flowreaper.safeguards.line_file import line_at, lines_in, read_file

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DETAILS_LIMIT = 4 * 1024 * 1024


class Index(NamedTuple):
    """The flows of a backup in the order of their last lines, each with the place of that line; lines that are none.

    `unreadable` are the numbers of those lines, from 1.
    """

    places: dict[Flow, int]
    unreadable: list[int]


class BackupReader:
    """Reads the backup in the folder behind a descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def index(self) -> Index:
        """Return which flows the backup holds; raises OSError."""
        found = Index({}, [])
        for number, (place, line) in enumerate(lines_in(INDEX, self._fd), start=1):
            if entry := read_line(line):
                found.places.pop(entry.flow, None)  # so that the order is that of the last lines
                found.places[entry.flow] = place
            else:
                found.unreadable.append(number)
        return found

    def entry_at(self, place: int) -> BackupEntry:
        """Return the entry whose line begins at a place of the index; raises OSError."""
        entry = read_line(line_at(INDEX, self._fd, place))
        if entry is None:
            raise OSError(0, "it has changed while it was read", INDEX)
        return entry

    def damage_of(self, entry: BackupEntry) -> str:
        """Return what is wrong with an entry's folder, empty where it is as it was saved."""
        try:
            with self._folder(entry) as fd:
                if not json_object(read_file(DETAILS, fd, _DETAILS_LIMIT)):
                    return f"{DETAILS} cannot be read"
                if entry.sha256 is None:
                    return ""
                content = read_file(FLOW_JSON, fd, entry.bytes + 1)
        except OSError as error:
            return printable(f"{error.filename or entry.folder}: {error.strerror}")
        return "" if digest_of(content) == entry.sha256 else f"{FLOW_JSON} is not what was saved"

    def endpoint_uri_of(self, entry: BackupEntry) -> str:
        """Return the address of a flow's own endpoint, as GetFlow told it; empty where it told none."""
        try:
            with self._folder(entry) as fd:
                details = json_object(read_file(DETAILS, fd, _DETAILS_LIMIT)).get("GetFlow")
        except OSError:
            return ""
        found = details.get("EndpointUri") if isinstance(details, dict) else None
        return found if isinstance(found, str) else ""

    @contextlib.contextmanager
    def _folder(self, entry: BackupEntry) -> Iterator[int]:
        space, _, name = entry.folder.partition("/")
        with contextlib.ExitStack() as opened:
            space_fd = os.open(space, _FOLDER, dir_fd=self._fd)
            opened.callback(os.close, space_fd)
            fd = os.open(name, _FOLDER, dir_fd=space_fd)
            opened.callback(os.close, fd)
            yield fd
