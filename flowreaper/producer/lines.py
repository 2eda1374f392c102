"""Makes lines of chunks of bytes that are cut anywhere. Pure.

A line is yielded as soon as it is complete, before the next chunk is asked for. Of an incomplete line, a bounded part
is held.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

LINE_LIMIT = 1024 * 1024
"""Bytes held of an incomplete line or JSON value; longer ones are invalid."""

BOM = b"\xef\xbb\xbf"

_MARKS = re.compile(b"(?:%b)+" % BOM)
_HEAD = 200
_PEEK = 64 * 1024


class LongLine(NamedTuple):
    """What is kept of a line over LINE_LIMIT: its first bytes, size in bytes, hex SHA-256, quotation marks."""

    head: bytes
    size: int
    sha256: str
    quotes: int = 0


def strip_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks without a UTF-8 byte order mark at the start and without empty ones."""
    rest = iter(chunks)
    head = b""
    for chunk in rest:
        head += chunk
        if not BOM.startswith(head) or head == BOM:
            break
    yield from filter(None, chain([head.removeprefix(BOM)], rest))


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes, enough to detect the format, and all chunks, including these bytes.

    Enough is: up to the end of the first line that is not blank, up to the bracket of a JSON array, 64 KiB, or all.
    """
    first = bytearray()
    for chunk in chunks:
        first += chunk
        start = first.lstrip()
        if b"\n" in start or start.startswith(b"[") or len(first) >= _PEEK:
            break
    return bytes(first), filter(None, chain([bytes(first)], chunks))


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    r"""Yield the lines without their ``\n``; the last one needs none.

    A byte order mark at the start of a line is dropped: ``cat a.txt b.txt`` puts b's in the middle.
    """
    tail = _Tail()
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        tail.add(first)
        if not others:
            continue
        yield tail.line()
        marked = BOM in chunk
        for piece in others[:-1]:
            if marked or len(piece) > LINE_LIMIT:
                yield _Tail(piece).line()
            else:
                yield piece
        tail = _Tail(others[-1])
    if tail.size:
        yield tail.line()


class _Tail:
    """A line without its end. Beyond LINE_LIMIT only its size, digest and quotation marks are kept up to date."""

    def __init__(self, piece: bytes = b"") -> None:
        self.size = 0
        self._held = bytearray()
        self._digest = hashlib.sha256()
        self._quotes = 0
        self.add(piece)

    def add(self, piece: bytes) -> None:
        before, self.size = self.size, self.size + len(piece)
        if before <= LINE_LIMIT:
            self._held += piece
            if self.size <= LINE_LIMIT:
                return
            piece = bytes(self._held)
            del self._held[_HEAD:]
        self._digest.update(piece)
        self._quotes += piece.count(b'"')

    def line(self) -> bytes | LongLine:
        if self.size > LINE_LIMIT:
            return LongLine(bytes(self._held), self.size, self._digest.hexdigest(), self._quotes)
        marks = _MARKS.match(self._held)
        return bytes(self._held[marks.end() :] if marks else self._held)
