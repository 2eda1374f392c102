"""Input formats: bytes in, entries out, as soon as their last byte is there. Pure; opens nothing.

What may live here: telling the formats apart, and taking ids and spaces out of their records.
Everything is pulled: no chunk is asked for before all entries of the chunks so far were yielded.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.model import Entry, Flow, InvalidEntry
from flowreaper.producer import encoding, json_stream, lines
from flowreaper.producer.csv_lines import header_cells
from flowreaper.producer.csv_records import CsvReader
from flowreaper.producer.fields import WAS_INVALID, Fields, fields, was_invalid
from flowreaper.producer.flow_ids import (
    BLANKS,
    ROUNDED,
    EntryFactory,
    compiled,
    decoded,
    fault,
    plain,
    space_fault,
    undecoded,
)
from flowreaper.producer.json_stream import Inexact
from flowreaper.producer.lines import LongLine

_NO_TEXT_ID = re.compile("[,;\"']")


class Format(StrEnum):
    """The formats that ids can come in."""

    TEXT = "text"
    CSV = "csv"
    JSONL = "jsonl"
    JSON = "json"


_SUFFIXES = {
    ".txt": Format.TEXT,
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".json": Format.JSON,
}


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How to read the sources.

    `format` is None to tell it by suffix or first bytes. `id_field` and `space_field` name a CSV column or
    a JSON field exactly; None is FlowId and CustSpaceId in any spelling (flow_id, "Flow ID"). `default_space`
    is for the flows that bring none. `id_pattern` is a regular expression that a whole id must match; None is
    the rule of `flowreaper.producer.flow_ids`.

    Raises:
        InputError: the space cannot be one, or the pattern is no regular expression.
    """

    format: Format | None = None
    id_field: str | None = None
    space_field: str | None = None
    default_space: str = ""
    id_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.default_space and (why := space_fault(self.default_space)):
            raise InputError(f"the space {printable(self.default_space)!r} {why}")
        compiled(self.id_pattern)


def detect(suffix: str, first_bytes: bytes, id_field: str | None = None) -> Format:
    """Tell the format by the file's suffix (with its dot, any case, may be empty), else by its first bytes.

    `first_bytes` should hold the first line that is not blank. A header is known by the id field's name.
    """
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    start = first_bytes.removeprefix(lines.BOM).lstrip()
    line = start.split(b"\n", 1)[0].decode("utf-8", "replace")
    if line.startswith("["):
        return Format.JSON
    value = _json_value(line)
    if line.startswith("{"):
        # A ListFlow answer on one line is an object too, but its flows are in its Data.
        return Format.JSONL if isinstance(value, dict) and not _listings(value) else Format.JSON
    if fields(id_field, None).id.among(cell.strip(BLANKS) for cell in header_cells(line)):
        return Format.CSV
    return Format.JSONL if line.startswith('"') and isinstance(value, str) else Format.TEXT


def may_be_csv(suffix: str, settings: InputSettings) -> bool:
    """Return whether a source may be CSV, as far as can be said without its first bytes."""
    return (settings.format or _SUFFIXES.get(suffix.lower(), Format.CSV)) is Format.CSV


def entries(
    chunks: Iterable[bytes], *, source: str, settings: InputSettings, suffix: str = ""
) -> Iterator[Entry | InvalidEntry]:
    """Read the flows out of one source's bytes, which may be cut into chunks anywhere.

    `source` is the name that entries and errors carry. `line` counts from 1: lines for text and JSON lines,
    the line where the record starts for CSV, elements for JSON. ASCII blanks around an id or a space do not
    count. What is no id (`flowreaper.producer.flow_ids` says what is) becomes an InvalidEntry; in text also what has a
    comma, a semicolon or a quotation mark. Skipped: in text a first line that names the id field, in CSV a
    record that is the header once more.

    Raises:
        InputError: the source is no UTF-8 text, the format has no place for ids (no such column, no list), a
            CSV record has swallowed lines, or JSON is broken; every entry before the break was yielded, but
            none of a chunk with a NUL byte.
    """
    rest = lines.without_bom(encoding.text(chunks, source))
    form = settings.format
    if form is None:
        first, rest = lines.peek(rest)
        form = detect(suffix, first, settings.id_field)
    make = EntryFactory(source, settings.default_space, compiled(settings.id_pattern))
    reader = _Reader(make, fields(settings.id_field, settings.space_field))
    match form:
        case Format.TEXT:
            yield from reader.read_text(lines.split(rest))
        case Format.CSV:
            yield from CsvReader(*reader).read(lines.split(rest))
        case Format.JSONL:
            yield from reader.read_jsonl(lines.split(rest))
        case Format.JSON:
            yield from reader.read_json(rest)


class _Reader(NamedTuple):
    make: EntryFactory
    fields: Fields

    def read_text(self, lines: Iterator[bytes | LongLine]) -> Iterator[Entry | InvalidEntry]:
        source, space, pattern = self.make
        header, numbered = self._text_header(enumerate(lines, 1))
        for number, raw in numbered:
            if isinstance(raw, LongLine):
                yield self.make.too_long(raw, number)
                continue
            line = raw.strip()  # of BLANKS
            if pattern is None and plain(line):
                yield Entry(
                    Flow(line.decode(), space), source, number
                )  # what make.entry gives, in half the time
            elif line and line != header and not line.startswith(b"#"):
                yield self._odd_line(decoded(line), number)

    def _text_header(
        self, numbered: Iterator[tuple[int, bytes | LongLine]]
    ) -> tuple[bytes, Iterator[tuple[int, bytes | LongLine]]]:
        """Return the first line that counts if it names the id field, else nothing, and the lines after it."""
        for number, raw in numbered:
            line = b"" if isinstance(raw, LongLine) else raw.strip()
            if isinstance(raw, LongLine) or (line and not line.startswith(b"#")):
                if self.fields.id.among([decoded(line)]):
                    return line, numbered
                return b"", chain([(number, raw)], numbered)
        return b"", numbered

    def _odd_line(self, text: str, number: int) -> Entry | InvalidEntry:
        """Return what a line of text is that does not look like an id at first sight."""
        why, mark = fault(text, self.make.pattern), _NO_TEXT_ID.search(text)
        if not mark or not why or why == ROUNDED:  # 9,26E+17: its comma is not what is wrong with it
            return self.make.entry(text, "", number)
        hint = "read CSV as CSV, and print ids out of JSON bare (jq -r)"
        return self.make.invalid(text, f"the line has {mark[0]} in it, and is no id: {hint}", number)

    def read_jsonl(self, lines: Iterator[bytes | LongLine]) -> Iterator[Entry | InvalidEntry]:
        for number, raw in enumerate(lines, 1):
            if isinstance(raw, LongLine):
                yield self.make.too_long(raw, number)
                continue
            text = decoded(raw).strip(BLANKS)
            if not text:
                continue
            value = _json_value(text)
            if undecoded(text):
                yield self.make.invalid(text, "the line is not UTF-8", number)
            elif value is None:
                yield self.make.invalid(text, "the line is no JSON object, string or number", number)
            elif isinstance(value, dict) and (lists := _listings(value)) and not self.fields.id.among(value):
                for item in chain.from_iterable(lists):
                    yield self._of_value(item, None, number)
            else:
                yield self._of_value(value, text, number)

    def read_json(self, chunks: Iterator[bytes]) -> Iterator[Entry | InvalidEntry]:
        for number, value in enumerate(json_stream.elements(chunks, self.make.source), 1):
            yield self._of_value(value, None, number)

    def _of_value(self, value: object, text: str | None, number: int) -> Entry | InvalidEntry:
        """Take the id out of a JSON value; `text` is how to show it, None to write it anew."""
        flow_id, space, why = value, None, ""
        if isinstance(value, dict):
            ids, spaces = self.fields.id.among(value), self.fields.space.among(value)
            if not ids:
                why = f"the object has no field {printable(self.fields.id.name)}"
            elif len(ids) > 1 or len(spaces) > 1:
                why = "the object has the id or the space twice: name the field"
            else:
                flow_id, space = value[ids[0]], value[spaces[0]] if spaces else None
                why = WAS_INVALID if was_invalid(ids[0], value.get("state")) else ""
        why = why or _json_fault("flow id", flow_id) or ("" if space is None else _json_fault("space", space))
        if why:
            shown = json.dumps(value, ensure_ascii=False) if text is None else text
            return self.make.invalid(shown, why, number)
        return self.make.entry(str(flow_id), "" if space is None else str(space), number)


def _json_fault(what: str, value: object) -> str:
    if not isinstance(value, str):
        return f"the {what} is neither a string nor a number"
    return f"the {what} {ROUNDED}" if isinstance(value, Inexact) else ""


_DECODER = json.JSONDecoder(parse_int=str, parse_float=Inexact, parse_constant=Inexact)


def _json_value(text: str) -> object:
    """Return the JSON value, whole numbers as their digits; None if it is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _listings(value: dict[str, object]) -> list[list[object]]:
    """Return the lists of flows in a ListFlow answer, as the service sends it or the SDK saves it."""
    if "Data" not in value and "body" not in value:  # a million lines of JSON ask
        return []
    holders = (value, value.get("body"))
    lists = (holder.get("Data") for holder in holders if isinstance(holder, dict))
    return [flows for flows in lists if isinstance(flows, list)]
