"""Refuses sources that are no UTF-8 text: compressed, a database, UTF-16, binary. Pure.

The first bytes or a NUL byte show it. The error says what the source is and what to do.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from flowreaper.errors import InputError

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip -c"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
    # An id may begin with "BZh". In bzip2 the level and a magic number follow: a block's, or the end's.
    **{
        b"BZh%d%b" % (level, mark): ("bzip2", "bunzip2 -c")
        for level in range(1, 10)
        for mark in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
    },
}
_ZIP = b"PK\x03\x04"
_WIDE = {  # UTF-32LE's mark begins with UTF-16LE's, so it comes first
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_SQLITE = b"SQLite format 3\0"
_MARKS = (*_COMPRESSED, _ZIP, _SQLITE, *_WIDE)
HEAD_SIZE = 16
"""Bytes at the start of a source that `why_no_text` needs."""

_CODE_UNITS = 4  # bytes: two characters of UTF-16, one of UTF-32


def require_text(chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
    """Yield the chunks of a source, which are cut anywhere, as long as they are text.

    It holds back at most 16 bytes at the start, until they show what the source is. Nothing of a chunk with a NUL
    byte is yielded. `source` is the name in the error.

    Raises:
        InputError: the source is compressed, a database, in another encoding, or has a NUL byte.
    """
    head = b""
    chunks = iter(chunks)
    for chunk in chunks:
        head += chunk
        if len(head) >= HEAD_SIZE or not _undecided(head):
            break
    if why := why_no_text(head[:HEAD_SIZE]):
        raise InputError(f"{source}: {why}")
    size = 0
    for chunk in chain([head] if head else [], chunks):
        if (at := chunk.find(b"\0")) >= 0:
            raise InputError(
                f"{source}: has a NUL byte at offset {size + at}, so it is no text: give the ids as UTF-8 text, CSV or JSON"
            )
        size += len(chunk)
        yield chunk


def why_no_text(first_bytes: bytes) -> str:
    """Return what a source is instead of text, and what to do; empty if it may be text.

    `first_bytes` are HEAD_SIZE bytes, or all that it has. The text completes "SOURCE ...".
    """
    for magic, (name, command) in _COMPRESSED.items():
        if first_bytes.startswith(magic):
            return f"is compressed ({name}): unpack it first, or pipe it: {command} < FILE | flowreaper delete ..."
    if first_bytes.startswith(_SQLITE):
        return "is an SQLite database: if it is a checkpoint, name it with -c; else export its ids as text"
    if first_bytes.startswith(_ZIP):
        return "is a zip archive or a spreadsheet: unpack it, or export the sheet as CSV"
    if name := next(
        (name for mark, name in _WIDE.items() if first_bytes.startswith(mark)), _unmarked(first_bytes)
    ):
        return (
            f"is not UTF-8 but {name}: save it as UTF-8, or pipe it:"
            f" iconv -f {name} -t UTF-8 < FILE | flowreaper delete ..."
        )
    return ""


def _unmarked(head: bytes) -> str:
    """Return the encoding whose ASCII text has NUL bytes where `head` has them; empty if there is none."""
    if len(head) < _CODE_UNITS or not any(head):
        return ""
    if not any(head[1::2]):
        return "UTF-16LE" if any(head[2::4]) else "UTF-32LE"
    if not any(head[::2]):
        return "UTF-16BE" if any(head[1::4]) else "UTF-32BE"
    return ""


def _undecided(head: bytes) -> bool:
    return any(mark.startswith(head) for mark in _MARKS) or not (any(head[::2]) and any(head[1::2]))
