"""Chunks of bytes, cut anywhere, made into lines as soon as they are complete. Pure.

Nothing is asked for before all that the chunks so far complete was yielded, and what is held of an incomplete line is
bounded.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

LINE_LIMIT = 1024 * 1024
"""Bytes that are held of a line or of a JSON value that is not complete yet."""

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


def without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks without a UTF-8 byte order mark at the start and without empty ones."""
    rest = iter(chunks)
    head = b""
    for chunk in rest:
        head += chunk
        if not BOM.startswith(head) or head == BOM:
            break
    yield from filter(None, chain([head.removeprefix(BOM)], rest))


def peek(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return enough of the start to tell the format, and the chunks with that start still in front.

    Enough is the first line that is not blank, the bracket of a JSON array, 64 KiB, or all.
    """
    first = bytearray()
    for chunk in chunks:
        first += chunk
        start = first.lstrip()
        if b"\n" in start or start.startswith(b"[") or len(first) >= _PEEK:
            break
    return bytes(first), filter(None, chain([bytes(first)], chunks))


def split(chunks: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    r"""Yield the lines without their ``\n``; the last one needs none.

    A byte order mark at the start of a line does not count: ``cat`` puts one there between two files.
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
    """A line whose end has not come yet; beyond LINE_LIMIT only its digest goes on."""

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
