"""CSV: lines in, entries out. Pure; opens nothing."""

import csv
import re
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from flowreaper.errors import Advice, InputError
from flowreaper.escaping import printable
from flowreaper.model import AnyEntry, InvalidEntry
from flowreaper.producer.fields import MARKED_INVALID, Field, Fields, is_marked_invalid, is_record, join_names
from flowreaper.producer.flow_ids import BLANKS, EntryFactory, decode
from flowreaper.producer.lines import LongLine

_LIKE_AN_ID = re.compile(r"\d{10,}", re.ASCII)
# How a spreadsheet is made to keep digits as text: a formula whose value is that text.
_TEXT_FORMULA = re.compile(r'\s*="([^"]*)"\s*')


def find_delimiter(header: bytes | LongLine) -> str:
    """Return the delimiter of a header: a comma if it has one, else a semicolon, else a tab, else a comma."""
    text = decode(header) if isinstance(header, bytes) else ""
    return next((mark for mark in ",;\t" if mark in text), ",")


def parse_header(line: str) -> list[str]:
    """Return the cells of a header line; an empty list if it is no CSV."""
    try:
        return next(csv.reader([line], delimiter=find_delimiter(line.encode()), skipinitialspace=True), [])
    except csv.Error:
        return []


class CsvLines:
    """The lines for csv.reader. It knows the last line and its number, so that a broken record can be shown."""

    def __init__(self, lines: Iterator[bytes | LongLine]) -> None:
        self._lines = lines
        self.number = 0
        self.last: bytes | LongLine = b""
        self.ended = False

    def peek(self) -> bytes | LongLine:
        """Skip blank lines and return the next one, which stays to be read; empty at the end."""
        for line in self._lines:
            if isinstance(line, LongLine) or line.strip():
                self._lines = chain([line], self._lines)
                return line
            self.number += 1
        return b""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            self.last = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self.number += 1
        if isinstance(self.last, LongLine):
            raise csv.Error("a line is too long")  # the reader drops this record and can continue
        return decode(self.last) + "\n"

    def may_continue(self) -> bool:
        """Return whether the record that broke may continue in the next line: a quotation mark is still open.

        csv.reader stops inside a quoted cell only if the line or the cell is too long. Its other errors come after
        a closing mark.
        """
        if isinstance(self.last, LongLine):
            return self.last.quotes % 2 == 1
        return len(self.last) > csv.field_size_limit() and self.last.count(b'"') % 2 == 1


class CsvReader(NamedTuple):
    """Reads one source's records."""

    make: EntryFactory
    fields: Fields

    def read(self, lines: Iterator[bytes | LongLine]) -> Iterator[AnyEntry]:
        """Yield an entry for each record, except for blank ones and repeated headers.

        Raises:
            InputError: there is no such column, or a broken record has swallowed other lines.
        """
        source = CsvLines(lines)
        rows = csv.reader(source, delimiter=find_delimiter(source.peek()), strict=True, skipinitialspace=True)
        try:
            first = next(rows, [])
        except csv.Error as error:
            raise InputError(
                f"{self.make.source}: the CSV header cannot be read: {printable(str(error))}"
            ) from None
        if not first:
            return
        header = [cell.strip(BLANKS) for cell in first]
        id_at = self._column(header, self.fields.id, Advice.NAME_ID_FIELD, required=True)
        space_at = self._column(
            header, self.fields.space, Advice.NAME_SPACE_FIELD, required=self.fields.space.given is not None
        )
        state_at = header.index("state") if "state" in header else -1
        while True:
            number = source.number + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken_record(source, error, number)
                continue
            if row == first or not any(map(str.strip, row)):  # ``cat a.csv b.csv`` repeats the header
                continue
            # The columns of a record that does not fit the header may be shifted: no id is taken from it.
            if len(row) <= max(id_at, space_at) or any(map(str.strip, row[len(header) :])):
                reason = f"the CSV record has {len(row)} cells, the header has {len(header)}"
                yield self.make.invalid(",".join(row), reason, number)
            elif 0 <= state_at < len(row) and is_marked_invalid(header[id_at], row[state_at]):
                yield self.make.invalid(row[id_at], MARKED_INVALID, number)
            else:
                own = 0 <= state_at < len(row) and is_record(header[id_at], row[state_at])
                space = "" if space_at < 0 else _value(row[space_at])
                yield self.make.entry(_value(row[id_at]), space, number, is_record=own)

    def _broken_record(self, source: CsvLines, error: csv.Error, first: int) -> InvalidEntry:
        """Return the invalid entry of a record that broke within its line.

        Raises:
            InputError: the record has swallowed other lines, or may continue in the next one. What follows could
                be the middle of a quoted text.
        """
        why = printable(str(error))  # it names the delimiter, which may be a tab
        count = source.number - first + 1
        if count > 1 and source.ended:
            raise InputError(
                f"{self.make.source}: in the CSV record that begins in line {first}, a quotation mark is never"
                f" closed: lines {first} to {source.number}, {count:,} lines, were not read as ids. Close it",
                Advice.READ_AS_TEXT,
            )
        if count > 1 or source.may_continue():
            raise InputError(
                f"{self.make.source}: the CSV record of lines {first} to {source.number} is broken ({why}), perhaps by"
                f" a quotation mark that is not closed: these lines, {count:,}, and what follows were not read as"
                " ids. Fix it, and run this again"
            )
        if isinstance(source.last, LongLine):
            return self.make.too_long(source.last, first)
        if source.ended:
            why = "its quotation mark is never closed"
        return self.make.invalid(decode(source.last), f"the CSV record is broken: {why}", first)

    def _column(self, header: list[str], field: Field, advice: Advice, *, required: bool) -> int:
        """Return the column's index, -1 if there is none."""
        names = field.among(header)
        if field is self.fields.id and any(map(_LIKE_AN_ID.fullmatch, names or header)):
            raise InputError(
                f"{self.make.source}: the first line looks like data, not like a CSV header: {join_names(header)};"
                " add a header line that names the columns (FlowId)",
                Advice.READ_AS_TEXT,
            )
        if len(names) > 1:
            raise InputError(
                f"{self.make.source}: more than one CSV column could be {printable(field.name)}: {join_names(names)};"
                " name one that is there once",
                advice,
            )
        if required and not names:
            raise InputError(
                f"{self.make.source}: there is no CSV column {printable(field.name)}, there are {join_names(header)}",
                advice,
            )
        return header.index(names[0]) if names else -1


def _value(cell: str) -> str:
    """Return what a spreadsheet shows of a cell."""
    formula = _TEXT_FORMULA.fullmatch(cell) if "=" in cell else None
    return formula[1] if formula else cell
