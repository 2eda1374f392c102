"""Outcomes as text: JSON lines, CSV or bare ids. Pure."""

import csv
import io
from collections.abc import Callable
from enum import StrEnum
from json.encoder import encode_basestring_ascii

from flowreaper.escaping import csv_cell, printable
from flowreaper.model import Record

_NULL = "null"
_BOOLEAN = {False: "false", True: "true"}


class RecordFormat(StrEnum):
    """How records are written."""

    JSONL = "jsonl"  # one object a line, ASCII only: nothing in it can steer a terminal
    CSV = "csv"  # with a header
    IDS = "ids"  # the flow ids alone; fit to be read again where no flow has a space


def writer_for(record_format: RecordFormat) -> Callable[[Record], str]:
    """Return the function that writes one record, line end included."""
    return {RecordFormat.JSONL: json_line, RecordFormat.CSV: csv_line, RecordFormat.IDS: id_line}[
        record_format
    ]


def header_for(record_format: RecordFormat) -> str:
    """Return what stands before the first record, line end included."""
    return ",".join(Record._fields) + "\n" if record_format is RecordFormat.CSV else ""


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
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow("" if cell is None else _cell(str(cell)) for cell in record)
    return out.getvalue()


def _cell(text: str) -> str:
    return csv_cell(
        printable(text, 10 * len(text))
    )  # an escape takes ten characters at most, so nothing is cut


def id_line(record: Record) -> str:
    """Write a record's flow id alone; not for a flow of a space, nor for an invalid line."""
    return f"{record.flow_id}\n"
