"""Takes a call's own secrets out of what came back for it: a server may echo the request. Pure."""

from collections.abc import Sequence

REDACTED = "[redacted]"

_PIECE = 8
# Characters in a row that give a secret away. An echo may be cut, escaped or encoded in places, so that the whole
# secret is not found in it; by chance, 8 characters of a signature come together once in four thousand million.


def redact(text: str, secrets: Sequence[str]) -> str:
    """Replace every run of 8 or more characters that stands in a secret, in upper or lower case.

    A shorter secret is replaced where it stands whole.
    """
    folded = text.lower()
    hidden = bytearray(len(text)) if len(folded) == len(text) else bytearray(len(folded))
    for secret in {s.lower() for s in secrets if s}:
        size = min(_PIECE, len(secret))
        pieces = {secret[i : i + size] for i in range(len(secret) - size + 1)}
        for i in range(len(folded) - size + 1):
            if folded[i : i + size] in pieces:
                hidden[i : i + size] = b"\1" * size
    if not any(hidden):
        return text
    return _cover(text if len(folded) == len(text) else folded, hidden)


def _cover(text: str, hidden: bytearray) -> str:
    shown: list[str] = []
    for i, character in enumerate(text):
        if not hidden[i]:
            shown.append(character)
        elif i == 0 or not hidden[i - 1]:
            shown.append(REDACTED)
    return "".join(shown)
