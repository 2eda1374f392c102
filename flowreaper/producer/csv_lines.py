"""CSV beneath the records: lines for the csv module, what separates cells. Pure; opens nothing."""

import csv
from collections.abc import Iterator
from itertools import chain

from flowreaper.producer.flow_ids import decoded
from flowreaper.producer.lines import LongLine


class CsvFeed:
    """The csv module's source of lines; remembers where it is, so that a broken record can be shown."""

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
            raise csv.Error("a line is too long")  # the reader drops its record and can go on
        return decoded(self.last) + "\n"

    def may_go_on(self) -> bool:
        """Return whether the last line may end within quotation marks, if the csv module gave it up half-way.

        It does so where a line or a cell is too long for it. Other errors it meets behind a closing mark.
        """
        if isinstance(self.last, LongLine):
            return self.last.quotes % 2 == 1
        return len(self.last) > csv.field_size_limit() and self.last.count(b'"') % 2 == 1


def delimiter(header: bytes | LongLine) -> str:
    """Return what separates the cells of a header: a comma, semicolon or tab, in this order."""
    text = decoded(header) if isinstance(header, bytes) else ""
    return next((mark for mark in ",;\t" if mark in text), ",")


def header_cells(line: str) -> list[str]:
    """Return the cells of a line as a header; none where it is no CSV."""
    try:
        return next(csv.reader([line], delimiter=delimiter(line.encode()), skipinitialspace=True), [])
    except csv.Error:
        return []
