"""The plan: a file of the flows that somebody has decided to delete, with the account, the reasons and an expiry.

It is one JSON object, laid out in lines: its heading, then a flow a line. None of these lines is a JSON value by
itself, so a plan that is read as JSON lines holds no flow. The digest covers every other line byte by byte, so that a
plan which was changed by hand, cut or patched together is noticed. It is no signature: who can write the file can
compute another digest. Memory stays flat, however many flows there are.
"""

import contextlib
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from flowreaper.errors import Advice, ConfigurationError, OutputError
from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.producer.json_stream import PLAN_KIND

VERSION = 1

LONGEST_LIFE_S = 366 * 86_400
"""A plan that is older says little about what its flows are for."""

FLOWS_LINE = b'"flows": [\n'
_END = b"]\n}\n"
DIGEST = "digest"
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanHeading:
    """What a plan says of itself.

    `account` is the account's number and `arn` who made the plan, both empty where nobody asked. `filters` are the
    options of the listing as they were typed. The times are UTC, ISO 8601. `seen` counts the flows that were looked at,
    `kept` those that a keep rule kept, `selected` those of the plan.
    """

    account: str
    arn: str
    endpoint: str
    filters: tuple[str, ...]
    made_at: str
    expires_at: str
    seen: int
    kept: int
    selected: int

    def is_expired(self, now: datetime) -> bool:
        """Return whether the plan is too old to begin with; `now` has its zone."""
        return now >= datetime.fromisoformat(self.expires_at)


class PlannedFlow(NamedTuple):
    """A flow of a plan. `status` is empty where nobody asked for it, `rule` is what selected the flow."""

    flow: Flow
    name: str
    categories: tuple[str, ...]
    status: str
    rule: str


class PlanWriter:
    """Takes flows one by one, then writes them as a plan; close it."""

    def __init__(self) -> None:
        # Nameless: a listing that is cut off leaves nothing behind. It lives as long as this object.
        self._flows = tempfile.TemporaryFile()  # noqa: SIM115
        self.count = 0
        """How many flows it has."""

    def add(self, planned: PlannedFlow) -> None:
        """Take a flow; raises OutputError where there is no room."""
        row = {
            "FlowId": planned.flow.flow_id,
            "CustSpaceId": planned.flow.cust_space_id,
            "FlowName": planned.name,
            "Categories": planned.categories,
            "Status": planned.status,
            "Rule": planned.rule,
        }
        comma = ",\n" if self.count else ""
        with room_for(tempfile.gettempdir()):
            self._flows.write(f"{comma}{json.dumps(row)}".encode())
        self.count += 1

    def write(self, path: Path, heading: PlanHeading, *, force: bool = False) -> None:
        """Write the plan (mode 0600), whole or not at all; `force`: also over another file.

        Raises:
            ConfigurationError: there is such a file.
            OutputError: it cannot be written.
        """
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            with room_for(str(path)):
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                    self._write(out, heading)
                    out.flush()
                    os.fsync(out.fileno())
                _publish(temporary, path, force=force)
        finally:
            temporary.unlink(missing_ok=True)

    def _write(self, out: BinaryIO, heading: PlanHeading) -> None:
        top = _top(heading)
        digest = PlanDigest()
        for line in (*top, FLOWS_LINE):
            digest.update(line)
        self._flows.flush()
        for chunk in self._chunks():
            digest.update(chunk)
        digest.update(_END)
        out.writelines((*top, line_of(DIGEST, str(digest)), FLOWS_LINE))
        out.writelines(self._chunks())
        out.write(_END)

    def _chunks(self) -> Iterator[bytes]:
        self._flows.seek(0)
        while chunk := self._flows.read(_CHUNK):
            yield chunk

    def close(self) -> None:
        """Forget the flows."""
        self._flows.close()


class PlanDigest:
    """The SHA-256 of a plan's lines without its own."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.update = self._hash.update

    def __str__(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _top(heading: PlanHeading) -> list[bytes]:
    values = {"kind": PLAN_KIND, "version": VERSION, **asdict(heading)}
    return [b"{\n", *(line_of(name, value) for name, value in values.items())]


def line_of(name: str, value: object) -> bytes:
    """Return a line of a plan's heading."""
    return f"{json.dumps(name)}: {json.dumps(value)},\n".encode()


def _publish(temporary: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name, and make that durable."""
    if force:
        temporary.replace(path)
    else:
        try:
            os.link(temporary, path)  # unlike a rename, never over another file
        except FileExistsError:
            raise exists(path) from None
        except OSError:  # a file system without links
            if os.path.lexists(path):
                raise exists(path) from None
            temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def exists(path: Path) -> ConfigurationError:
    """Return the error of a plan that would replace another file."""
    return ConfigurationError(
        f"{printable(str(path))} already exists: name another file", Advice.REPLACE_PLAN
    )


@contextlib.contextmanager
def room_for(where: str) -> Iterator[None]:
    """Raise OutputError where what is written in the block, `where`, finds no room."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{printable(where)}: the plan cannot be written: {error.strerror}") from error
