"""Makes foreign text safe for terminals, logs and spreadsheets. Pure."""

import re
import unicodedata

# Characters that steer a terminal or are invisible: controls (Cc), formats such as the bidirectional overrides (Cf),
# surrogates (Cs), line and paragraph separators (Zl, Zp), private use (Co) and unassigned (Cn).
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")  # the last four: the full-width = + - @


def printable(text: str, limit: int = 300) -> str:
    """Return `text` on one line, without anything that could steer a terminal.

    Unsafe characters are escaped. After `limit` characters it is cut, and its length is added.
    """
    if text.isascii() and text.isprintable():
        safe = text
    else:
        safe = "".join(_escaped(c) if unicodedata.category(c) in _UNSAFE else c for c in text[: limit + 1])
    return safe if len(safe) <= limit else f"{safe[:limit]}… [{len(text)} characters]"


def csv_cell(text: str) -> str:
    """Return `text` so that a spreadsheet reads it as text: what looks like a formula gets a leading ``'``.

    Source of the rule: OWASP, "CSV Injection".
    """
    return f"'{text}" if _FORMULA.match(text) else text


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 -- what \xNN can name
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 -- what \uNNNN can name
