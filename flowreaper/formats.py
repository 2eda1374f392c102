"""Input formats: bytes in, entries out, as soon as their last byte is there. Pure; opens nothing.

What may live here: telling the formats apart, and taking ids and spaces out of their records.
Everything is pulled: no chunk is asked for before all entries of the chunks so far were yielded.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from flowreaper import chunks as cut
from flowreaper import encoding
from flowreaper.chunks import Inexact, LongLine
from flowreaper.csv_lines import CsvFeed, delimiter, header_cells
from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.ids import BLANKS, ID_LIMIT, PLAIN, ROUNDED, EntryMaker, decoded, fault, undecoded
from flowreaper.model import Entry, Flow, InvalidEntry
from flowreaper.records import WAS_INVALID, was_invalid

_ID, _SPACE = "FlowId", "CustSpaceId"
_NO_TEXT_ID = re.compile("[,;\"']")
_LIKE_AN_ID = re.compile(r"\d{10,}", re.ASCII)


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
    is for the flows that bring none.
    """

    format: Format | None = None
    id_field: str | None = None
    space_field: str | None = None
    default_space: str = ""


def detect(suffix: str, first_bytes: bytes, id_field: str | None = None) -> Format:
    """Tell the format by the file's suffix (with its dot, any case, may be empty), else by its first bytes.

    `first_bytes` should hold the first line that is not blank. A header is known by the id field's name.
    """
    if suffix.lower() in _SUFFIXES:
        return _SUFFIXES[suffix.lower()]
    start = first_bytes.removeprefix(cut.BOM).lstrip()
    line = start.split(b"\n", 1)[0].decode("utf-8", "replace")
    if line.startswith("["):
        return Format.JSON
    value = _json_value(line)
    if line.startswith("{"):
        # A ListFlow answer on one line is an object too, but its flows are in its Data.
        return Format.JSONL if isinstance(value, dict) and not _is_listing(value) else Format.JSON
    if _Field(id_field, _ID).among(cell.strip(BLANKS) for cell in header_cells(line)):
        return Format.CSV
    return Format.JSONL if line.startswith('"') and isinstance(value, str) else Format.TEXT


def entries(
    chunks: Iterable[bytes], *, source: str, settings: InputSettings, suffix: str = ""
) -> Iterator[Entry | InvalidEntry]:
    """Read the flows out of one source's bytes, which may be cut into chunks anywhere.

    `source` is the name that entries and errors carry. `line` counts from 1: lines for text and JSON lines,
    the line where the record starts for CSV, elements for JSON. ASCII blanks around an id or a space do not
    count. No id: nothing; in text, what has a comma, a semicolon or a quotation mark; over 256 characters; a character that is not printable (Unicode's controls,
    formats, separators, surrogates, private and unassigned) or is white space; bytes that are not UTF-8;
    a rounded number.

    Raises:
        InputError: the source is compressed or not in UTF-8 from its first bytes on, the format has no place
            for ids (no such column, no list), or JSON is broken; every entry before the break was yielded.
    """
    if settings.default_space and (why := fault(settings.default_space)):
        raise InputError(f"the space {printable(settings.default_space)!r} {why}")
    rest = cut.without_bom(encoding.text(chunks, source))
    form = settings.format
    if form is None:
        first, rest = cut.peek(rest)
        form = detect(suffix, first, settings.id_field)
    reader = _Reader(
        EntryMaker(source, settings.default_space),
        _Field(settings.id_field, _ID),
        _Field(settings.space_field, _SPACE),
    )
    match form:
        case Format.TEXT:
            yield from reader.read_text(cut.lines(rest))
        case Format.CSV:
            yield from reader.read_csv(cut.lines(rest))
        case Format.JSONL:
            yield from reader.read_jsonl(cut.lines(rest))
        case Format.JSON:
            yield from reader.read_json(rest)


class _Field(NamedTuple):
    """The name of a column or field: `given` by the user and meant exactly, else `default` in any spelling."""

    given: str | None
    default: str

    @property
    def name(self) -> str:
        return self.given or self.default

    def among(self, names: Iterable[str]) -> list[str]:
        """Return the names that fit: more than one is for the caller to refuse."""
        names = list(names)
        exact = [name for name in names if name == self.name]
        if exact or self.given is not None:
            return exact
        return [name for name in names if _letters(name) == _letters(self.default)]


class _Reader(NamedTuple):
    make: EntryMaker
    id_field: _Field
    space_field: _Field

    def read_text(self, lines: Iterator[bytes | LongLine]) -> Iterator[Entry | InvalidEntry]:
        source, space = self.make
        for number, raw in enumerate(lines, 1):
            if isinstance(raw, LongLine):
                yield self.make.too_long(raw, number)
                continue
            text = decoded(raw).strip(BLANKS)
            if (text.isalnum() and text.isascii() and len(text) <= ID_LIMIT) or PLAIN.fullmatch(text):
                yield Entry(Flow(text, space), source, number)  # what make.entry gives, in half the time
            elif text and not text.startswith("#"):
                # Sent as it is, a piece of CSV or JSON would be answered as a flow that is not there.
                mark = _NO_TEXT_ID.search(text)
                yield self._piece(text, mark[0], number) if mark else self.make.entry(text, "", number)

    def _piece(self, text: str, mark: str, number: int) -> Entry | InvalidEntry:
        if fault(text) == ROUNDED:  # 9,26E+17: its comma is not what is wrong with it
            return self.make.entry(text, "", number)
        hint = "give CSV with --input-format csv, print ids out of JSON bare (jq -r)"
        return self.make.invalid(text, f"the line has {mark} in it, and is no id: {hint}", number)

    def read_csv(self, lines: Iterator[bytes | LongLine]) -> Iterator[Entry | InvalidEntry]:
        feed = CsvFeed(lines)
        rows = csv.reader(feed, delimiter=delimiter(feed.peek()), strict=True, skipinitialspace=True)
        try:
            header = [cell.strip(BLANKS) for cell in next(rows, [])]
        except csv.Error as error:
            raise InputError(
                f"{self.make.source}: the CSV header cannot be read: {printable(str(error))}"
            ) from None
        if not header:
            return
        id_at = self._column(header, self.id_field, "--id-field", required=True)
        space_at = self._column(
            header, self.space_field, "--space-field", required=self.space_field.given is not None
        )
        state_at = header.index("state") if "state" in header else -1
        while True:
            number = feed.number + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken_record(feed.last, error, number)
                continue
            if not any(map(str.strip, row)):
                continue
            # A record that does not fit the header may have its columns shifted: no id is taken from it.
            if len(row) <= max(id_at, space_at) or any(map(str.strip, row[len(header) :])):
                reason = f"the CSV record has {len(row)} cells, the header has {len(header)}"
                yield self.make.invalid(",".join(row), reason, number)
            elif 0 <= state_at < len(row) and was_invalid(header[id_at], row[state_at]):
                yield self.make.invalid(row[id_at], WAS_INVALID, number)
            else:
                yield self.make.entry(row[id_at], "" if space_at < 0 else row[space_at], number)

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
            else:
                yield self._of_value(value, text, number)

    def read_json(self, chunks: Iterator[bytes]) -> Iterator[Entry | InvalidEntry]:
        for number, value in enumerate(cut.elements(chunks, self.make.source), 1):
            yield self._of_value(value, None, number)

    def _of_value(self, value: object, text: str | None, number: int) -> Entry | InvalidEntry:
        """Take the id out of a JSON value; `text` is how to show it, None to write it anew."""
        flow_id, space, why = value, None, ""
        if isinstance(value, dict):
            ids, spaces = self.id_field.among(value), self.space_field.among(value)
            if not ids:
                why = f"the object has no field {printable(self.id_field.name)} (--id-field)"
            elif len(ids) > 1 or len(spaces) > 1:
                why = "the object has the id or the space twice: say which with --id-field, --space-field"
            else:
                flow_id, space = value[ids[0]], value[spaces[0]] if spaces else None
                why = WAS_INVALID if was_invalid(ids[0], value.get("state")) else ""
        why = why or _json_fault("flow id", flow_id) or ("" if space is None else _json_fault("space", space))
        if why:
            shown = json.dumps(value, ensure_ascii=False) if text is None else text
            return self.make.invalid(shown, why, number)
        return self.make.entry(str(flow_id), "" if space is None else str(space), number)

    def _broken_record(self, last: bytes | LongLine, error: csv.Error, number: int) -> InvalidEntry:
        if isinstance(last, LongLine):
            return self.make.too_long(last, number)
        why = printable(str(error))  # it names the delimiter, which may be a tab
        return self.make.invalid(decoded(last), f"the CSV record that ends here is broken: {why}", number)

    def _column(self, header: list[str], field: _Field, option: str, *, required: bool) -> int:
        """Return the column's index, -1 if there is none."""
        names = field.among(header)
        if field is self.id_field and any(map(_LIKE_AN_ID.fullmatch, names or header)):
            raise InputError(
                f"{self.make.source}: the first line looks like data, not like a CSV header: {_listed(header)};"
                " add a header line that names the columns (FlowId); bare ids, a line each, are --input-format text"
            )
        if len(names) > 1:
            raise InputError(
                f"{self.make.source}: more than one CSV column could be {printable(field.name)}: {_listed(names)};"
                f" name one that is there once with {option}"
            )
        if required and not names:
            raise InputError(
                f"{self.make.source}: there is no CSV column {printable(field.name)}, there are {_listed(header)};"
                f" name the right one with {option}"
            )
        return header.index(names[0]) if names else -1


def _json_fault(what: str, value: object) -> str:
    if not isinstance(value, str):
        return f"the {what} is neither a string nor a number"
    return f"the {what} {ROUNDED}" if isinstance(value, Inexact) else ""


def _listed(names: list[str]) -> str:
    return ", ".join(printable(name, 40) for name in names[:20]) + (", …" if len(names) > 20 else "")  # noqa: PLR2004 -- a message, not a table


@lru_cache(maxsize=1024)
def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


_DECODER = json.JSONDecoder(parse_int=str, parse_float=Inexact, parse_constant=Inexact)


def _json_value(text: str) -> object:
    """Return the JSON value, whole numbers as their digits; None if it is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def _is_listing(value: dict[str, object]) -> bool:
    body = value.get("body")
    return any(isinstance(o, dict) and isinstance(o.get("Data"), list) for o in (value, body))
