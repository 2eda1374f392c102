"""Outcomes as text: JSON lines, CSV or bare ids. Pure."""

import csv
import io
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from json.encoder import encode_basestring_ascii

from flowreaper.escaping import csv_cell, printable
from flowreaper.model import Record

_NULL = "null"
_BOOLEAN = {False: "false", True: "true"}
_BYTE_ORDER_MARK = "\ufeff"
# What may stand in a formula's quotes: nothing in it ends them, and Excel takes 255 characters there.
_KEPT_AS_TEXT = re.compile(r"[0-9A-Za-z_.:-]{1,255}")


class RecordFormat(StrEnum):
    """How records are written."""

    JSONL = "jsonl"  # one object a line, ASCII only: nothing in it can steer a terminal
    CSV = "csv"  # with a header
    SPREADSHEET = "spreadsheet"  # CSV that Excel and LibreOffice open without rounding an id
    IDS = "ids"  # the flow ids alone; fit to be read again where no flow has a space


def writer_for(record_format: RecordFormat) -> Callable[[Record], str]:
    """Return the function that writes one record, line end included."""
    return {
        RecordFormat.JSONL: json_line,
        RecordFormat.CSV: csv_line,
        RecordFormat.SPREADSHEET: spreadsheet_line,
        RecordFormat.IDS: id_line,
    }[record_format]


def header_for(record_format: RecordFormat) -> str:
    """Return what stands before the first record, line end included."""
    if record_format in (RecordFormat.JSONL, RecordFormat.IDS):
        return ""
    # Without the mark, Excel reads the bytes in the code page of its country.
    mark = _BYTE_ORDER_MARK if record_format is RecordFormat.SPREADSHEET else ""
    return f"{mark}{','.join(Record._fields)}\n"


def json_line(record: Record) -> str:
    """Write a record as a JSON object on a line of its own."""
    # By hand: json.dumps of a dict takes three times as long, and a checkpoint may hold a million records.
    return (
        f'{{"flow_id": {_json(record.flow_id)}, "cust_space_id": {_json(record.cust_space_id)},'
        f' "state": {_json(record.state)}, "inferred": {_BOOLEAN[record.inferred]},'
        f' "in_doubt": {_BOOLEAN[record.in_doubt]}, "attempts": {record.attempts},'
        f' "http_status": {_NULL if record.http_status is None else record.http_status},'
        f' "code": {_json(record.code)}, "message": {_json(record.message)},'
        f' "request_id": {_json(record.request_id)}, "source": {_json(record.source)},'
        f' "line": {_NULL if record.line is None else record.line}, "finished_at": {_json(record.finished_at)}}}\n'
    )


def _json(text: str | None) -> str:
    return _NULL if text is None else encode_basestring_ascii(text)


def csv_line(record: Record) -> str:
    """Write a record as a CSV row on one line; None is an empty cell.

    Control characters are escaped, and a cell that a spreadsheet would take for a formula is made text.
    """
    return csv_row(record)


def spreadsheet_line(record: Record) -> str:
    """Write a record as `csv_line`, with the flow id and the space as formulas whose value is that very text.

    ``="926000000000007919"``: Excel and LibreOffice show the digits and nothing else, where they would read the bare
    digits, quoted or not, as 9.26E+17.
    """
    return _row((_kept(record.flow_id), _kept(record.cust_space_id or ""), *map(_cell, record[2:])))


def csv_row(values: Iterable[str | float | None]) -> str:
    """Write values as `csv_line` does."""
    return _row(map(_cell, values))


def _row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _cell(value: str | float | None) -> str:
    if isinstance(value, str):
        # An escape takes ten characters at most, so nothing is cut.
        return csv_cell(printable(value, 10 * len(value)))
    if isinstance(value, bool):
        return _BOOLEAN[value]
    return "" if value is None else str(value)


def _kept(text: str) -> str:
    return f'="{text}"' if _KEPT_AS_TEXT.fullmatch(text) else _cell(text)


def id_line(record: Record) -> str:
    """Write a record's flow id alone; not for a flow of a space, nor for an invalid line."""
    return f"{record.flow_id}\n"
