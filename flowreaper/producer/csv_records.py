"""CSV: records in, entries out. Pure; opens nothing."""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from flowreaper.errors import Advice, InputError
from flowreaper.escaping import printable
from flowreaper.model import Entry, InvalidEntry
from flowreaper.producer.csv_lines import CsvFeed, delimiter
from flowreaper.producer.fields import WAS_INVALID, Field, Fields, listed, was_invalid
from flowreaper.producer.flow_ids import BLANKS, EntryFactory, decoded
from flowreaper.producer.lines import LongLine

_LIKE_AN_ID = re.compile(r"\d{10,}", re.ASCII)


class CsvReader(NamedTuple):
    """Reads one source's records."""

    make: EntryFactory
    fields: Fields

    def read(self, lines: Iterator[bytes | LongLine]) -> Iterator[Entry | InvalidEntry]:
        """Yield an entry for each record that is neither blank nor the header once more.

        Raises:
            InputError: there is no such column, or a broken record has swallowed other lines.
        """
        feed = CsvFeed(lines)
        rows = csv.reader(feed, delimiter=delimiter(feed.peek()), strict=True, skipinitialspace=True)
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
            number = feed.number + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._broken_record(feed, error, number)
                continue
            if row == first or not any(map(str.strip, row)):  # ``cat a.csv b.csv`` repeats the header
                continue
            # A record that does not fit the header may have its columns shifted: no id is taken from it.
            if len(row) <= max(id_at, space_at) or any(map(str.strip, row[len(header) :])):
                reason = f"the CSV record has {len(row)} cells, the header has {len(header)}"
                yield self.make.invalid(",".join(row), reason, number)
            elif 0 <= state_at < len(row) and was_invalid(header[id_at], row[state_at]):
                yield self.make.invalid(row[id_at], WAS_INVALID, number)
            else:
                yield self.make.entry(row[id_at], "" if space_at < 0 else row[space_at], number)

    def _broken_record(self, feed: CsvFeed, error: csv.Error, first: int) -> InvalidEntry:
        """Return the invalid entry of a record that broke within its line.

        Raises:
            InputError: the record has swallowed other lines, or may go on in the next one: what is read there
                could be the middle of a text.
        """
        why = printable(str(error))  # it names the delimiter, which may be a tab
        count = feed.number - first + 1
        if count > 1 and feed.ended:
            raise InputError(
                f"{self.make.source}: in the CSV record that begins in line {first}, a quotation mark is never"
                f" closed: lines {first} to {feed.number}, {count:,} lines, were not read as ids. Close it",
                Advice.READ_AS_TEXT,
            )
        if count > 1 or feed.may_go_on():
            raise InputError(
                f"{self.make.source}: the CSV record of lines {first} to {feed.number} is broken ({why}), perhaps by"
                f" a quotation mark that is not closed: these lines, {count:,}, and what follows were not read as"
                " ids. Mend it, and run this again"
            )
        if isinstance(feed.last, LongLine):
            return self.make.too_long(feed.last, first)
        if feed.ended:
            why = "its quotation mark is never closed"
        return self.make.invalid(decoded(feed.last), f"the CSV record is broken: {why}", first)

    def _column(self, header: list[str], field: Field, advice: Advice, *, required: bool) -> int:
        """Return the column's index, -1 if there is none."""
        names = field.among(header)
        if field is self.fields.id and any(map(_LIKE_AN_ID.fullmatch, names or header)):
            raise InputError(
                f"{self.make.source}: the first line looks like data, not like a CSV header: {listed(header)};"
                " add a header line that names the columns (FlowId)",
                Advice.READ_AS_TEXT,
            )
        if len(names) > 1:
            raise InputError(
                f"{self.make.source}: more than one CSV column could be {printable(field.name)}: {listed(names)};"
                " name one that is there once",
                advice,
            )
        if required and not names:
            raise InputError(
                f"{self.make.source}: there is no CSV column {printable(field.name)}, there are {listed(header)}",
                advice,
            )
        return header.index(names[0]) if names else -1
