"""Listed flows as text: a table for people, CSV, JSON lines or bare ids for programs. Pure."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.sink.formats import csv_row

_ID_WIDTH = 20
_WIDTHS = {"SPACE": 24, "STATUS": 10, "STATE": 8, "CATEGORIES": 20, "NAME": 40}
_NAME_LIMIT = 80
_OWN_SPACE = "-"


class FlowFormat(StrEnum):
    """How listed flows are written."""

    TABLE = "table"
    IDS = "ids"  # fit to be read again where no flow has a space
    CSV = "csv"  # with a header
    JSONL = "jsonl"  # one object a line, ASCII only


class FlowRow(NamedTuple):
    """A flow and what is known of it; `state` is what became of it."""

    flow: Flow
    name: str
    categories: tuple[str, ...]
    status: str = ""
    rule: str = ""
    state: str = ""


class Columns(NamedTuple):
    """Which columns there are besides the id, the categories and the name. A program always gets the space."""

    space: bool = False
    status: bool = False
    rule: bool = False
    state: bool = False


def header(flow_format: FlowFormat, columns: Columns) -> str:
    """Return what stands before the first flow, line end included."""
    if flow_format is FlowFormat.TABLE:
        titles = ("FLOW ID", *(title for title, _ in _cells(FlowRow(Flow(""), "", ()), columns)))
        return _table_line(titles[0], [(title, title) for title in titles[1:]])
    if flow_format is FlowFormat.CSV:
        return csv_row(_fields(FlowRow(Flow(""), "", ()), columns))
    return ""


def line(flow_format: FlowFormat, row: FlowRow, columns: Columns) -> str:
    """Return a flow, line end included. Nothing in it can steer a terminal, forge a line or start a formula."""
    match flow_format:
        case FlowFormat.TABLE:
            return _table_line(printable(row.flow.flow_id), _cells(row, columns))
        case FlowFormat.CSV:
            values = _fields(row, columns)
            return csv_row(
                ";".join(value) if isinstance(value, tuple) else value for value in values.values()
            )
        case FlowFormat.JSONL:
            return f"{json.dumps(_fields(row, columns))}\n"
        case FlowFormat.IDS:
            return f"{printable(row.flow.flow_id, 10 * len(row.flow.flow_id))}\n"


class FlowWriter:
    """Writes flows through `write`, the header before the first."""

    def __init__(self, write: Callable[[bytes], object], flow_format: FlowFormat, columns: Columns) -> None:
        self._write = write
        self._format = flow_format
        self._columns = columns
        self._begun = False

    def write(self, row: FlowRow) -> None:
        """Write a flow; raises what `write` raises."""
        text = line(self._format, row, self._columns)
        if not self._begun:
            self._begun = True
            text = header(self._format, self._columns) + text
        self._write(text.encode())


def _fields(row: FlowRow, columns: Columns) -> dict[str, str | tuple[str, ...]]:
    """Return a row by the names that the service gives, and that ``delete`` reads."""
    values: dict[str, str | tuple[str, ...]] = {
        "FlowId": row.flow.flow_id,
        "CustSpaceId": row.flow.cust_space_id,
        "FlowName": row.name,
        "Categories": row.categories,
    }
    optional = {"Status": (columns.status, row.status), "Rule": (columns.rule, row.rule)}
    optional["State"] = (columns.state, row.state)
    return values | {name: value for name, (shown, value) in optional.items() if shown}


def _cells(row: FlowRow, columns: Columns) -> list[tuple[str, str]]:
    """Return the titles and texts that follow the id in a table, the widest last."""
    cells = [
        (columns.space, "SPACE", row.flow.cust_space_id or _OWN_SPACE),
        (columns.state, "STATE", row.state),
        (columns.status, "STATUS", row.status),
        (True, "CATEGORIES", " ".join(row.categories)),
        (True, "NAME", row.name),
        (columns.rule, "RULE", row.rule),
    ]
    return [(title, text) for shown, title, text in cells if shown]


def _table_line(flow_id: str, cells: list[tuple[str, str]]) -> str:
    texts = [f"{flow_id:<{_ID_WIDTH}}"]
    texts += [f"{printable(text, _NAME_LIMIT):<{_WIDTHS.get(title, 0)}}" for title, text in cells]
    return "  ".join(texts).rstrip() + "\n"
