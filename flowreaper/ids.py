"""What can be a flow id or a space, and how to show what cannot. Pure.

What may live here: the rule for one id, and making the entry or the invalid entry that follows from it.
"""

import hashlib
import re
from typing import NamedTuple

from flowreaper.chunks import LINE_LIMIT, LongLine
from flowreaper.escaping import printable
from flowreaper.model import Entry, Flow, InvalidEntry

ID_LIMIT = 256
"""Characters of a flow id or a space."""

BLANKS = " \t\n\r\v\f"
"""What may stand around an id and does not count."""

ROUNDED = "is a rounded number, as spreadsheets make of long ids: export the column as text"

PLAIN = re.compile(r"[0-9A-Za-z_-]{1,256}")
"""Nearly every id there is, known for a fifth of the time that the rule takes."""

_TEXT_LIMIT = 200
_UNDECODED = re.compile("[\udc80-\udcff]")
# 9.26E+17, 9,26E+17, 9e+17, 346699123.0: what spreadsheets and float columns make of a long id. An id of
# hex digits such as 12e34 is left alone: programs and spreadsheets write a sign or a fraction.
_ROUNDED = re.compile(r"[+-]?\d+(?:\.\d*|(?:[.,]\d*)?[eE][+-]\d+|[.,]\d*[eE]\d+)", re.ASCII)


def decoded(raw: bytes) -> str:
    """Decode UTF-8; bytes that are not come out as surrogates, which no id holds."""
    return raw.decode("utf-8", "surrogateescape")


def undecoded(text: str) -> bool:
    """Tell whether `decoded` met bytes that are not UTF-8."""
    return _UNDECODED.search(text) is not None


def fault(text: str) -> str:  # noqa: PLR0911 -- one return a rule
    """Return why `text` cannot be an id or a space, as the end of a sentence; empty if it can."""
    if PLAIN.fullmatch(text):
        return ""
    if not text:
        return "is empty"
    if len(text) > ID_LIMIT:
        return f"has {len(text)} characters, more than {ID_LIMIT}"
    if undecoded(text):
        return "is not UTF-8"
    if text.split() != [text]:
        return "has white space inside"
    if not text.isprintable():
        return "has a character that cannot be seen"
    return ROUNDED if _ROUNDED.fullmatch(text) else ""


class EntryMaker(NamedTuple):
    """Makes one source's entries; `default_space` is for the flows that bring none."""

    source: str
    default_space: str

    def entry(self, flow_id: str, space: str, line: int) -> Entry | InvalidEntry:
        """Return the entry, or why there is none; blanks around `flow_id` and `space` do not count."""
        flow_id, space = flow_id.strip(BLANKS), space.strip(BLANKS)
        if why := fault(flow_id):
            return self.invalid(flow_id, f"the flow id {why}", line)
        if space and (why := fault(space)):
            return self.invalid(f"{flow_id} in space {space}", f"the space {why}", line)
        return Entry(Flow(flow_id, space or self.default_space), self.source, line)

    def invalid(self, text: str, reason: str, line: int) -> InvalidEntry:
        """Return the invalid entry; a long `text` is cut, its length and hash keep it apart from others."""
        shown = _shown(text[:_TEXT_LIMIT])
        if len(text) > _TEXT_LIMIT:
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            shown = f"{shown}… [{len(text)} characters, sha256 {digest[:12]}]"
        return InvalidEntry(shown, reason, self.source, line)

    def too_long(self, cut: LongLine, line: int) -> InvalidEntry:
        """Return the invalid entry for a line of which only the head was kept."""
        shown = f"{_shown(decoded(cut.head))}… [{cut.size} bytes, sha256 {cut.sha256[:12]}]"
        return InvalidEntry(shown, f"the line is over {LINE_LIMIT} bytes", self.source, line)


def _shown(text: str) -> str:
    bytes_named = _UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", text)
    return printable(bytes_named, 10 * _TEXT_LIMIT)  # an escaped character takes ten at most
