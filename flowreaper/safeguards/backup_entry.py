"""What a backup says of a flow: its folder's name, its line in the index, its details. Pure.

Ids and spaces are foreign text. A folder's name holds only lower-case ASCII letters, digits and `-_%~`, so it means
the same on every file system, and never leads out of the folder above it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flowreaper.client.actions import FlowDetails
from flowreaper.model import Flow

DETAILS = "details.json"
FLOW_JSON = "flow.json"
INDEX = "index.jsonl"
README = "README.txt"
LOCK = ".lock"
JOURNAL = "restored.jsonl"
NEW = "~new"
"""The folder of a flow that is being written."""

PLAIN = "http://"
"""What the endpoint of a sandbox begins with."""

_OWN_SPACE = "account"
_LONGEST = 120
_SHOWN = 80
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_")
# Windows keeps these for devices.
_DEVICE = re.compile("con|prn|aux|nul|com[0-9]|lpt[0-9]")


class Origin(NamedTuple):
    """Where a backup's flows come from: the account's number, empty where nobody asked, and the endpoint."""

    account: str
    endpoint: str

    def may_be(self, account: object, endpoint: object) -> bool:
        """Return whether it is that account, at that endpoint; an account that is not known may be any."""
        return endpoint == self.endpoint and (not account or not self.account or account == self.account)


class Saved(NamedTuple):
    """A flow as it is saved. `content` is its JSON as it came, None where it has none; `at` is UTC, ISO 8601."""

    details: FlowDetails
    content: bytes | None
    at: str


class BackupEntry(NamedTuple):
    """A line of the index. `folder` is relative to the backup; `sha256` is None where the flow has no JSON."""

    flow_id: str
    cust_space_id: str
    name: str
    categories: tuple[str, ...]
    status: str
    saved_at: str
    folder: str
    sha256: str | None
    bytes: int
    account: str
    endpoint: str

    @property
    def is_rehearsed(self) -> bool:
        """Whether it is a sandbox's flow: nothing else is called over plain http."""
        return self.endpoint.startswith(PLAIN)

    @property
    def flow(self) -> Flow:
        """The flow's identity, in the account that it was saved in."""
        return Flow(self.flow_id, self.cust_space_id)

    @property
    def file(self) -> str:
        """The flow's JSON, relative to the backup."""
        return f"{self.folder}/{FLOW_JSON}"


def space_folder(flow: Flow) -> str:
    """Return the name of the folder of a flow's space; that of the account's own is ``account``."""
    name = _safe(flow.cust_space_id) if flow.cust_space_id else _OWN_SPACE
    return name if not flow.cust_space_id or name != _OWN_SPACE else _escaped(_OWN_SPACE.encode(), first=True)


def flow_folder(flow: Flow, copy: int = 1) -> str:
    """Return the name of a flow's folder in its space's; later copies are numbered from 2."""
    name = _safe(flow.flow_id)
    return name if copy == 1 else f"{name}~{copy}"


def entry_of(saved: Saved, folder: str, origin: Origin) -> BackupEntry:
    """Return the line of a flow that lies in `folder`."""
    details, content = saved.details, saved.content
    return BackupEntry(
        *details.flow,
        details.name,
        details.categories,
        details.status,
        saved.at,
        folder,
        None if content is None else digest_of(content),
        0 if content is None else len(content),
        *origin,
    )


def digest_of(content: bytes) -> str:
    """Return the SHA-256 by which the index knows a flow's JSON."""
    return hashlib.sha256(content).hexdigest()


def line_of(entry: BackupEntry) -> bytes:
    """Return an entry as a line: ASCII, so nothing in it can steer a terminal."""
    return json.dumps(entry._asdict()).encode() + b"\n"


def read_line(line: bytes) -> BackupEntry | None:
    """Return the entry of a line, None where it holds none: half a line, or somebody else's."""
    found = json_object(line)
    texts = [found.get(name) for name in ("flow_id", "cust_space_id", "name", "status", "saved_at", "folder")]
    flow_id, space, name, status, saved_at, folder = (x if isinstance(x, str) else None for x in texts)
    categories, sha256, size = found.get("categories"), found.get("sha256"), found.get("bytes")
    if not flow_id or space is None or name is None or folder is None or not _is_inside(folder):
        return None
    return BackupEntry(
        flow_id,
        space,
        name,
        tuple(map(str, categories)) if isinstance(categories, list) else (),
        status or "",
        saved_at or "",
        folder,
        sha256 if isinstance(sha256, str) else None,
        size if type(size) is int else 0,
        str(found.get("account") or ""),
        str(found.get("endpoint") or ""),
    )


def details_of(saved: Saved, origin: Origin, version: str) -> bytes:
    """Return a flow's details as a file for people and programs: GetFlow's answer whole, and where it comes from."""
    added = {
        "flow_id": saved.details.flow.flow_id,
        "cust_space_id": saved.details.flow.cust_space_id,
        "saved_at": saved.at,
        "version": version,
        **origin._asdict(),
        "sha256": None if saved.content is None else digest_of(saved.content),
    }
    whole = {"GetFlow": dict(saved.details.content), "flowreaper": added}
    return json.dumps(whole, indent=2).encode() + b"\n"


def json_object(line: bytes) -> Mapping[str, Any]:
    """Return the JSON object of a line, empty where it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_inside(folder: str) -> bool:
    """Return whether a folder's path is one that this module makes: the index may be somebody else's."""
    space, slash, name = folder.partition("/")
    return bool(slash) and all(part and _PLAIN | set(b"%~") >= set(part.encode()) for part in (space, name))


def _safe(text: str) -> str:
    whole = text.encode("utf-8", "surrogatepass")
    name = _escaped(whole, first=_DEVICE.fullmatch(text) is not None)
    if len(name) > _LONGEST:
        return f"{name[:_SHOWN]}~{hashlib.sha256(whole).hexdigest()}"
    return name or "~"  # no folder has an empty name


def _escaped(text: bytes, *, first: bool = False) -> str:
    """Return text with everything but plain characters as %xx; the `first` one, too, if it says so."""
    return "".join(
        chr(byte) if byte in _PLAIN and not (first and place == 0) else f"%{byte:02x}"
        for place, byte in enumerate(text)
    )
