"""Input formats: bytes in, entries out. Pure; opens nothing.

This module detects the format, and takes ids and spaces out of its records. An entry is yielded as soon as its last
byte is there: no chunk is asked for before all entries of the chunks so far were yielded.
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
from flowreaper.model import AnyEntry, Entry, Flow
from flowreaper.producer import encoding, json_stream, lines
from flowreaper.producer.csv_records import CsvReader, parse_header
from flowreaper.producer.fields import MARKED_INVALID, Fields, is_marked_invalid, is_record, make_fields
from flowreaper.producer.flow_ids import (
    BLANKS,
    ROUNDED,
    EntryFactory,
    compile_pattern,
    decode,
    has_undecoded,
    is_plain,
    why_invalid,
    why_invalid_space,
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

    - `format`: None detects it by the file's suffix or first bytes.
    - `id_field`, `space_field`: the exact name of a CSV column or a JSON field. None: FlowId and CustSpaceId in any
      spelling (flow_id, "Flow ID").
    - `default_space`: the CustSpaceId of flows that come without one.
    - `id_pattern`: a regular expression that a whole id must match. None: the rule of
      `flowreaper.producer.flow_ids`.

    Raises:
        InputError: `default_space` cannot be a CustSpaceId, or `id_pattern` is no regular expression.
    """

    format: Format | None = None
    id_field: str | None = None
    space_field: str | None = None
    default_space: str = ""
    id_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.default_space and (why := why_invalid_space(self.default_space)):
            raise InputError(f"the space {printable(self.default_space)!r} {why}")
        compile_pattern(self.id_pattern)


def detect(suffix: str, first_bytes: bytes, id_field: str | None = None) -> Format:
    """Return the format that the file's suffix names, else the one that its first bytes show.

    `suffix` has its dot, is in any case, and may be empty. `first_bytes` should hold the first line that is not
    blank. A line is a CSV header if it has the id field's name.
    """
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    start = first_bytes.removeprefix(lines.BOM).lstrip()
    line = start.split(b"\n", 1)[0].decode("utf-8", "replace")
    if line.startswith("["):
        return Format.JSON
    value = _json_value(line)
    if line.startswith("{"):
        # A ListFlow answer on one line is an object, too; its flows are in its Data.
        return Format.JSONL if isinstance(value, dict) and not _listings(value) else Format.JSON
    if make_fields(id_field, None).id.among(cell.strip(BLANKS) for cell in parse_header(line)):
        return Format.CSV
    return Format.JSONL if line.startswith('"') and isinstance(value, str) else Format.TEXT


def may_be_csv(suffix: str, settings: InputSettings) -> bool:
    """Return whether a source may be CSV; its first bytes, which are not known here, may still show another format."""
    return (settings.format or _SUFFIXES.get(suffix.lower(), Format.CSV)) is Format.CSV


def parse_entries(
    chunks: Iterable[bytes], *, source: str, settings: InputSettings, suffix: str = ""
) -> Iterator[AnyEntry]:
    """Read the flows of one source; `chunks` are its bytes, cut anywhere.

    - `source` is the name that entries and errors carry.
    - An entry's `line` counts from 1: lines in text and JSON lines, the record's first line in CSV, elements in JSON.
    - ASCII white space around an id or a space is dropped.
    - An InvalidEntry stands for what is no id by `flowreaper.producer.flow_ids`: it is empty, has more than 256
      characters, has white space or unprintable characters, is not UTF-8, or is a rounded number. In text, a line
      with a comma, a semicolon or a quotation mark is invalid, too.
    - Skipped: blank lines; in text, comments (``#``) and a first line that is the id field's name; in CSV, repeated
      headers.

    Raises:
        InputError: the source is no UTF-8 text, the format has no place for ids (no such column, no list), a CSV
            record has swallowed lines, or the JSON is broken. Every entry before the error was yielded, but none
            of a chunk with a NUL byte.
    """
    rest = lines.strip_bom(encoding.require_text(chunks, source))
    form = settings.format
    if form is None:
        first, rest = lines.peek(rest)
        form = detect(suffix, first, settings.id_field)
    make = EntryFactory(source, settings.default_space, compile_pattern(settings.id_pattern))
    reader = _Reader(make, make_fields(settings.id_field, settings.space_field))
    match form:
        case Format.TEXT:
            yield from reader.read_text(lines.split_lines(rest))
        case Format.CSV:
            yield from CsvReader(*reader).read(lines.split_lines(rest))
        case Format.JSONL:
            yield from reader.read_jsonl(lines.split_lines(rest))
        case Format.JSON:
            yield from reader.read_json(rest)


class _Reader(NamedTuple):
    make: EntryFactory
    fields: Fields

    def read_text(self, lines: Iterator[bytes | LongLine]) -> Iterator[AnyEntry]:
        source, space, pattern = self.make
        header, numbered = self._text_header(enumerate(lines, 1))
        for number, raw in numbered:
            if isinstance(raw, LongLine):
                yield self.make.too_long(raw, number)
                continue
            line = raw.strip()  # of BLANKS
            if pattern is None and is_plain(line):
                # The same as make.entry, in half the time.
                yield Entry(Flow(line.decode(), space), source, number)
            elif line and line != header and not line.startswith(b"#"):
                yield self._odd_line(decode(line), number)

    def _text_header(
        self, numbered: Iterator[tuple[int, bytes | LongLine]]
    ) -> tuple[bytes, Iterator[tuple[int, bytes | LongLine]]]:
        """Return the header (empty if there is none), and the lines after it.

        The header is the first line that is neither blank nor a comment, if it is the id field's name.
        """
        for number, raw in numbered:
            line = b"" if isinstance(raw, LongLine) else raw.strip()
            if isinstance(raw, LongLine) or (line and not line.startswith(b"#")):
                if self.fields.id.among([decode(line)]):
                    return line, numbered
                return b"", chain([(number, raw)], numbered)
        return b"", numbered

    def _odd_line(self, text: str, number: int) -> AnyEntry:
        """Return the entry of a line of text that `is_plain` does not accept."""
        why, mark = why_invalid(text, self.make.pattern), _NO_TEXT_ID.search(text)
        if not mark or not why or why == ROUNDED:  # 9,26E+17: the comma is not the fault
            return self.make.entry(text, "", number)
        hint = "read CSV as CSV, and print ids out of JSON bare (jq -r)"
        return self.make.invalid(text, f"the line has {mark[0]} in it, and is no id: {hint}", number)

    def read_jsonl(self, lines: Iterator[bytes | LongLine]) -> Iterator[AnyEntry]:
        for number, raw in enumerate(lines, 1):
            if isinstance(raw, LongLine):
                yield self.make.too_long(raw, number)
                continue
            text = decode(raw).strip(BLANKS)
            if not text:
                continue
            value = _json_value(text)
            if has_undecoded(text):
                yield self.make.invalid(text, "the line is not UTF-8", number)
            elif value is None:
                yield self.make.invalid(text, "the line is no JSON object, string or number", number)
            elif isinstance(value, dict) and value.get("kind") == json_stream.PLAN_KIND:
                raise json_stream.is_a_plan(self.make.source)
            elif isinstance(value, dict) and (lists := _listings(value)) and not self.fields.id.among(value):
                for item in chain.from_iterable(lists):
                    yield self._of_value(item, None, number)
            else:
                yield self._of_value(value, text, number)

    def read_json(self, chunks: Iterator[bytes]) -> Iterator[AnyEntry]:
        for number, value in enumerate(json_stream.parse_elements(chunks, self.make.source), 1):
            yield self._of_value(value, None, number)

    def _of_value(self, value: object, text: str | None, number: int) -> AnyEntry:
        """Return the entry of a JSON value; `text` is the input that shows it, None to serialize the value."""
        flow_id, space, why, own = value, None, "", False
        if isinstance(value, dict):
            ids, spaces = self.fields.id.among(value), self.fields.space.among(value)
            if not ids:
                why = f"the object has no field {printable(self.fields.id.name)}"
            elif len(ids) > 1 or len(spaces) > 1:
                why = "the object has the id or the space twice: name the field"
            else:
                flow_id, space = value[ids[0]], value[spaces[0]] if spaces else None
                why = MARKED_INVALID if is_marked_invalid(ids[0], value.get("state")) else ""
                own = is_record(ids[0], value.get("state"))
        why = (
            why or _why_no_text("flow id", flow_id) or ("" if space is None else _why_no_text("space", space))
        )
        if why:
            shown = json.dumps(value, ensure_ascii=False) if text is None else text
            return self.make.invalid(shown, why, number)
        return self.make.entry(str(flow_id), "" if space is None else str(space), number, is_record=own)


def _why_no_text(what: str, value: object) -> str:
    if not isinstance(value, str):
        return f"the {what} is neither a string nor a number"
    return f"the {what} {ROUNDED}" if isinstance(value, Inexact) else ""


_DECODER = json.JSONDecoder(parse_int=str, parse_float=Inexact, parse_constant=Inexact)


def _json_value(text: str) -> object:
    """Return the JSON value, with whole numbers as their digits; None if `text` is no JSON."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _listings(value: dict[str, object]) -> list[list[object]]:
    """Return the lists of flows in a ListFlow answer, in the service's or the SDK's shape."""
    if "Data" not in value and "body" not in value:  # the usual line of JSON; called for each
        return []
    holders = (value, value.get("body"))
    lists = (holder.get("Data") for holder in holders if isinstance(holder, dict))
    return [flows for flows in lists if isinstance(flows, list)]
