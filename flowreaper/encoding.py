"""Sources that are no UTF-8 text, known by their first bytes: what they are, and how to make text of them. Pure."""

import codecs
from collections.abc import Iterable, Iterator

from flowreaper.errors import InputError

_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip -c"),
    b"BZh": ("bzip2", "bunzip2 -c"),
    b"\xfd7zXZ\x00": ("xz", "xz -dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd -dc"),
}
_ZIP = b"PK\x03\x04"
_WIDE = (
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_BE,
)  # that of UTF-32 LE begins as UTF-16's
_ALTERNATING = ([False, True, False, True], [True, False, True, False])
_ENOUGH = 6  # the longest of them


def text(chunks: Iterable[bytes], source: str) -> Iterator[bytes]:
    """Pass on a source's chunks, which may be cut anywhere; `source` is the name that the error carries.

    Nothing is held back but a first line that has not ended.

    Raises:
        InputError: it is compressed, or in another encoding.
    """
    head = b""
    chunks = iter(chunks)
    for chunk in chunks:
        head += chunk
        if len(head) >= _ENOUGH or b"\n" in head:
            break
    if why := fault(head[:_ENOUGH].split(b"\n", 1)[0]):
        raise InputError(f"{source}: {why}")
    if head:
        yield head
    yield from chunks


def fault(first_bytes: bytes) -> str:
    """Return what a source is instead of text and what to do, as the end of a sentence; empty if it may be text."""
    for magic, (name, command) in _COMPRESSED.items():
        if first_bytes.startswith(magic):
            return (
                f"is compressed ({name}): unpack it first, or pipe it: {command} FILE | flowreaper delete ..."
            )
    if first_bytes.startswith(_ZIP):
        return "is a zip archive or a spreadsheet: unpack it, or export the sheet as CSV"
    # Every second byte of ASCII text in UTF-16 is NUL.
    if first_bytes.startswith(_WIDE) or [byte == 0 for byte in first_bytes[:4]] in _ALTERNATING:
        return "is not UTF-8 but UTF-16 or the like: save it as UTF-8, or pipe it: iconv -f UTF-16 -t UTF-8 FILE | ..."
    return ""
