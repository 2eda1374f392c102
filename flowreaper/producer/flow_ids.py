"""What can be a flow id or a space (CustSpaceId), and the entry that follows from it. Pure.

A flow id:

- has at most 256 characters: ASCII letters, digits and ``_ . : -``
- begins with a letter or a digit, and has a digit
- is no rounded number (9.26E+17)

A space needs no digit, and is not null, None or NaN.
"""

import hashlib
import re
from typing import NamedTuple

from flowreaper.errors import InputError
from flowreaper.escaping import printable
from flowreaper.model import AnyEntry, Entry, Flow, InvalidEntry
from flowreaper.producer.lines import LINE_LIMIT, LongLine

ID_LIMIT = 256
"""Characters of a flow id or a space."""

BLANKS = " \t\n\r\v\f"
"""White space that is dropped around an id."""

ROUNDED = "is a rounded number, as spreadsheets make of long ids: export the column as text"

_PLAIN = r"(?![0-9]+[eE]-)(?:[A-Za-z][A-Za-z_-]*)?[0-9][0-9A-Za-z_-]*"  # 9E-17 is a rounded number
_TEXT_LIMIT = 200
_PLAIN_TEXT, _PLAIN_LINE = re.compile(_PLAIN), re.compile(_PLAIN.encode())
_UNDECODED = re.compile("[\udc80-\udcff]")
_OTHER = re.compile(r"[^0-9A-Za-z_.:-]")
_DIGIT = re.compile(r"[0-9]")
_PLAIN_SPACE = re.compile(r"(?![0-9]+[eE]-)[0-9A-Za-z][0-9A-Za-z_-]{0,255}")
_NO_VALUES = {"null", "none", "nan"}
# 9.26E+17, 9,26E+17, 9e+17, 346699123.0: spreadsheets and float columns turn long ids into these. They write a
# sign or a fraction, so 12e34 may be an id of hex digits.
_ROUNDED = re.compile(r"[+-]?\d+(?:\.\d*|(?:[.,]\d*)?[eE][+-]\d+|[.,]\d*[eE]\d+)", re.ASCII)


def decode(raw: bytes) -> str:
    """Decode UTF-8; other bytes become surrogates, which no id has."""
    return raw.decode("utf-8", "surrogateescape")


def is_plain(line: bytes) -> bool:
    """Return whether a line is an id for sure. Nearly every line is, and `why_invalid` takes five times as long."""
    return len(line) <= ID_LIMIT and (
        line.isdigit() or (line.isalnum() and not line.isalpha()) or _PLAIN_LINE.fullmatch(line) is not None
    )


def has_undecoded(text: str) -> bool:
    """Return whether `decode` met bytes that are not UTF-8."""
    return _UNDECODED.search(text) is not None


def compile_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """Compile an id pattern; None stays None.

    Raises:
        InputError: `pattern` is empty or no regular expression.
    """
    if pattern is None:
        return None
    if not pattern:
        raise InputError("the id pattern is empty: give a regular expression that a whole id matches")
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        why = printable(str(error))
        raise InputError(f"the id pattern {printable(pattern)} is no regular expression: {why}") from None


def why_invalid(text: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return why `text` cannot be a flow id; empty if it can. The reason completes "the flow id ...".

    `pattern` replaces the rule for an id's characters; it must match the whole text.
    """
    digits = text.isdigit() and text.isascii()
    if pattern is None and len(text) <= ID_LIMIT and (digits or _PLAIN_TEXT.fullmatch(text)):
        return ""
    if why := _never(text):
        return why
    if pattern is not None:
        return (
            "" if pattern.fullmatch(text) else f"does not match the id pattern {printable(pattern.pattern)}"
        )
    why = _strange(text) or ("" if _DIGIT.search(text) else "has no digit in it")
    return why and f"{why} (other ids need an id pattern)"


def why_invalid_space(text: str) -> str:
    """Return why `text` cannot be a space; empty if it can. The reason completes "the space ..."."""
    if text.lower() in _NO_VALUES:
        return "stands for no value: leave it empty"
    if _PLAIN_SPACE.fullmatch(text):
        return ""
    return _never(text) or _strange(text)


def _never(text: str) -> str:
    """Return why `text` is invalid whatever the pattern; empty if it is not."""
    if not text:
        return "is empty"
    if len(text) > ID_LIMIT:
        return f"has {len(text)} characters, more than {ID_LIMIT}"
    if has_undecoded(text):
        return "is not UTF-8"
    if text.split() != [text]:
        return "has white space inside"
    if not text.isprintable():
        return "has a character that cannot be seen"
    return ROUNDED if _ROUNDED.fullmatch(text) else ""


def _strange(text: str) -> str:
    if other := _OTHER.search(text):
        return f"has {other[0]} in it, which is none of the ASCII letters, the digits and _ . : -"
    return "" if text[0].isalnum() else f"begins with {text[0]}, not with a letter or a digit"


class EntryFactory(NamedTuple):
    """Makes the entries of one source.

    `default_space` is the CustSpaceId of flows that come without one; `pattern` as in `why_invalid`.
    """

    source: str
    default_space: str
    pattern: re.Pattern[str] | None = None

    def entry(self, flow_id: str, space: str, line: int, *, is_record: bool = False) -> AnyEntry:
        """Return the entry, or the invalid entry that says why; white space around the values is dropped.

        `is_record`: it comes from a record of flowreaper's own, whose flow keeps its space, the account's own, too.
        """
        flow_id, space = flow_id.strip(BLANKS), space.strip(BLANKS)
        if why := why_invalid(flow_id, self.pattern):
            return self.invalid(flow_id, f"the flow id {why}", line)
        if space and (why := why_invalid_space(space)):
            return self.invalid(f"{flow_id} in space {space}", f"the space {why}", line)
        default = "" if is_record else self.default_space
        return Entry(Flow(flow_id, space or default), self.source, line)

    def invalid(self, text: str, reason: str, line: int) -> InvalidEntry:
        """Return the invalid entry. A long `text` is cut; its length and hash keep it unique."""
        shown = _shown(text[:_TEXT_LIMIT])
        if len(text) > _TEXT_LIMIT:
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            shown = f"{shown}… [{len(text)} characters, sha256 {digest[:12]}]"
        return InvalidEntry(shown, reason, self.source, line)

    def too_long(self, cut: LongLine, line: int) -> InvalidEntry:
        """Return the invalid entry of a line over LINE_LIMIT."""
        shown = f"{_shown(decode(cut.head))}… [{cut.size} bytes, sha256 {cut.sha256[:12]}]"
        return InvalidEntry(shown, f"the line is over {LINE_LIMIT} bytes", self.source, line)


def _shown(text: str) -> str:
    bytes_named = _UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return printable(bytes_named, 10 * _TEXT_LIMIT)  # an escaped character takes up to ten
