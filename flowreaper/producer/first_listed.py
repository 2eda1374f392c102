"""Finds the first unfinished flows that a file lists, without reading it record by record. Opens the file.

The file of a resumed job may have a million lines before its first unfinished flow, and to read them takes seconds.
So this module searches the file's bytes for the ids of unfinished flows. The reader of the format then reads each line
that has one. This needs a record a line: text, JSON lines, and CSV up to the first record of several lines. In other
files it finds nothing, and the producer finds the flows.
"""

import csv
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath

from flowreaper.errors import InputError
from flowreaper.model import Entry, Flow
from flowreaper.producer.csv_records import find_delimiter
from flowreaper.producer.flow_ids import decode
from flowreaper.producer.formats import Format, InputSettings, detect, parse_entries
from flowreaper.producer.lines import BOM, LINE_LIMIT
from flowreaper.producer.sources import Source

MOST = 200
"""The most flows that are found: 40 s of calls at 5/s. To read a million ids takes a few seconds."""

_BLOCK = 1024 * 1024
_WORD = re.compile(rb"[0-9A-Za-z][0-9A-Za-z_.:-]*")


def first_listed(source: Source, settings: InputSettings, wanted: Collection[Flow]) -> list[Flow]:
    """Return up to MOST of the `wanted` flows that a file surely lists, in the file's order.

    A million ids (19 MB) before the first one take some 0.3 s.
    """
    if not source.rereadable or not wanted:
        return []
    found: dict[Flow, None] = {}
    search = _Search(PurePath(source.path).suffix, settings, wanted)
    with suppress(InputError), source.open() as fd:  # the producer will report what is wrong with it
        for block in _blocks(source.chunks(fd, lambda _fd: None)):
            for flow in search.listed_in(block):
                found[flow] = None
                if len(found) == MOST:
                    return list(found)
            if search.is_over:
                break
    return list(found)


class _Search:
    """Looks for flows in the blocks of one file, in order; a block has whole lines."""

    def __init__(self, suffix: str, settings: InputSettings, wanted: Collection[Flow]) -> None:
        self._suffix = suffix
        self._settings = settings  # with a format, once the first block has shown it
        self._wanted = frozenset(wanted)
        self._words = frozenset(flow.flow_id.encode() for flow in wanted)
        self._begun = False
        self._header = b""
        self.is_over = False
        """Whether the rest of the file cannot be read line by line."""

    def listed_in(self, block: bytes) -> Iterator[Flow]:
        """Yield the wanted flows that lines of the block list."""
        if not self._begun:
            self._begin(block)
        if self._header and b'"' in block and not _is_a_record_a_line(block, find_delimiter(self._header)):
            self.is_over = True
        if self.is_over:
            return
        at = 0
        for word in _WORD.findall(block):
            if word not in self._words:
                continue
            at = block.find(word, at)
            begin, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            line = block[begin : len(block) if end < 0 else end]
            at += len(word)
            if len(line) <= LINE_LIMIT:
                yield from self._flows_of(line)

    def _begin(self, block: bytes) -> None:
        self._begun = True
        found = self._settings.format or detect(self._suffix, block, self._settings.id_field)
        self._settings = replace(self._settings, format=found)
        self.is_over = found is Format.JSON
        if found is Format.CSV:
            self._header = block.removeprefix(BOM).lstrip().split(b"\n", 1)[0] + b"\n"

    def _flows_of(self, line: bytes) -> Iterator[Flow]:
        for entry in parse_entries([self._header + line], source="", settings=self._settings):
            if isinstance(entry, Entry) and entry.flow in self._wanted:
                yield entry.flow


def _is_a_record_a_line(block: bytes, separator: str) -> bool:
    lines = decode(block).split("\n")[: -1 if block.endswith(b"\n") else None]
    try:
        rows = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
        return len(list(rows)) == len(lines)
    except csv.Error:
        return False


def _blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks of whole lines, of about a megabyte; the last one needs no line end."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) < _BLOCK:
            continue
        end = held.rfind(b"\n") + 1
        if not end and len(held) > LINE_LIMIT:
            return
        yield bytes(held[:end])
        del held[:end]
    if held:
        yield bytes(held)
