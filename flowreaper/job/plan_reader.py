"""Reads plans, and refuses one that is not as it was written."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.job.plan_file import (
    DIGEST,
    FLOWS_LINE,
    VERSION,
    PlanDigest,
    PlanHeading,
    PlannedFlow,
    line_of,
    room_for,
)
from flowreaper.model import Flow
from flowreaper.producer.json_stream import PLAN_KIND

_LINE_LIMIT = 1024 * 1024
_HEADING_LINES = 100


class Plan:
    """A plan that was read whole, and is as it was written; its flows are in a nameless copy that nobody can change."""

    def __init__(self, heading: PlanHeading, digest: str, rows: BinaryIO) -> None:
        self.heading = heading
        self.digest = digest
        self._rows = rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def descriptor(self) -> int:
        """A file with a JSON object a line, for each flow one: FlowId, CustSpaceId and the rest."""
        return self._rows.fileno()

    def flows(self) -> Iterator[PlannedFlow]:
        """Yield the flows, in the order of the plan."""
        self._rows.seek(0)
        yield from map(_planned, self._rows)

    def close(self) -> None:
        """Forget the flows."""
        self._rows.close()


def read_plan(path: Path) -> Plan:
    """Read a plan; close it.

    Raises:
        InputError: there is no such file, it is no plan, or it was changed since it was made.
    """
    name = printable(str(path))
    rows = tempfile.TemporaryFile()  # noqa: SIM115 -- the Plan's
    try:
        with _opened(path, name) as file:
            heading, digest = _PlanReader(file, name).read(rows)
        rows.flush()
        return Plan(heading, digest, rows)
    except BaseException:
        rows.close()
        raise


class _PlanReader:
    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._digest = PlanDigest()
        self._digest_lines: list[bytes] = []

    def read(self, rows: BinaryIO) -> tuple[PlanHeading, str]:
        """Copy the flows into `rows`, and return the heading and the digest, checked."""
        values = self._heading()
        digest = values.pop(DIGEST, None)
        count = self._flows(rows)
        # The whole lines: whatever else stands in one of them, no digest covers.
        if self._digest_lines != [line_of(DIGEST, str(self._digest))]:
            raise InputError(
                f"{self._name}: the plan is not as it was written: its digest does not match. Nothing of it is taken;"
                " make a new plan"
            )
        heading = self._checked(values)
        rows.seek(0)
        try:
            readable = sum(1 for _ in map(_planned, rows))
        except (TypeError, ValueError, KeyError, RecursionError):
            readable = -1
        if not count == readable == heading.selected:
            raise self._damaged()
        return heading, str(digest)

    def _heading(self) -> dict[str, Any]:
        lines: list[bytes] = []
        while (line := self._line()) != FLOWS_LINE:
            if not line or len(lines) == _HEADING_LINES:
                raise InputError(f"{self._name}: is no plan: name a file that was written as a plan")
            lines.append(line)
            if line.startswith(b'"digest"'):
                self._digest_lines.append(line)
            else:
                self._digest.update(line)
        self._digest.update(FLOWS_LINE)
        try:
            values = json.loads(b"".join(lines).rstrip(b",\n") + b"}")
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or values.pop("kind", None) != PLAN_KIND:
            raise InputError(f"{self._name}: is no plan: name a file that was written as a plan")
        if (version := values.pop("version", None)) != VERSION:
            raise InputError(
                f"{self._name}: is a plan of version {printable(str(version), 20)}, and this flowreaper knows version"
                f" {VERSION}: use the flowreaper that made it"
            )
        return values

    def _flows(self, rows: BinaryIO) -> int:
        count = 0
        with room_for(tempfile.gettempdir()):
            line = self._line()
            while line:
                self._digest.update(line)
                row = line.rstrip(b"],\n")
                if row:
                    rows.write(row + b"\n")
                    count += 1
                if line.endswith(b"]\n"):
                    break
                line = self._line()
        while line := self._line():
            self._digest.update(line)
        return count

    def _line(self) -> bytes:
        try:
            line = self._file.readline(_LINE_LIMIT)
        except OSError as error:
            raise InputError(f"{self._name}: cannot be read: {error.strerror}") from None
        if len(line) == _LINE_LIMIT:
            raise self._damaged()
        return line

    def _checked(self, values: dict[str, Any]) -> PlanHeading:
        try:
            heading = PlanHeading(**(values | {"filters": tuple(values["filters"])}))
            kinds = (type(value) for value in asdict(heading).values())
            wanted = (tuple if f.name == "filters" else f.type for f in fields(PlanHeading))
            if not all(kind is want for kind, want in zip(kinds, wanted, strict=True)):
                raise self._damaged()
            if not all(isinstance(word, str) for word in heading.filters):
                raise self._damaged()
            heading.is_expired(datetime.now(UTC))
        except (TypeError, ValueError, KeyError):
            raise self._damaged() from None
        return heading

    def _damaged(self) -> InputError:
        return InputError(f"{self._name}: the plan is damaged: make a new one")


def _planned(line: bytes) -> PlannedFlow:
    """Return the flow of a line; raises TypeError, ValueError or KeyError where there is none."""
    row = json.loads(line)
    texts = [row[name] for name in ("FlowId", "CustSpaceId", "FlowName", "Status", "Rule")]
    categories = row["Categories"]
    if not isinstance(categories, list) or not all(isinstance(text, str) for text in texts + categories):
        raise TypeError
    flow_id, space, name, status, rule = texts
    return PlannedFlow(Flow(flow_id, space), name, tuple(categories), status, rule)


def _opened(path: Path, name: str) -> BinaryIO:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        raise InputError(f"{name}: the plan cannot be opened: {why}") from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError(f"{name}: is no plan: name a file that was written as a plan")
    return os.fdopen(fd, "rb")
