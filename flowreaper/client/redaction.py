"""Redacts a call's own secrets in its reply: a server may echo the request. Pure."""

from collections.abc import Sequence

from flowreaper.model import Credentials, Reply

REDACTED = "[redacted]"

_SHORT = 40  # a request id has 36 characters

_PIECE = 8
# Characters of a secret that are redacted wherever they occur in a row. An echo may be cut, escaped or encoded, so
# the whole secret is not found in it. Eight hex digits of a signature occur by chance once in 4,000,000,000.


def redact(text: str, secrets: Sequence[str]) -> str:
    """Replace every run of 8 or more characters that also occurs in a secret; case does not matter.

    A shorter secret is replaced as a whole.
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


def concealed(reply: Reply, secrets: tuple[str, str], credentials: Credentials) -> Reply:
    """Redact a call's own secrets in its reply: a gateway may echo the request."""
    if reply.code == "OK" and len(reply.message) < _SHORT and len(reply.request_id) < _SHORT:
        return reply  # nearly every reply
    key_id, masked = credentials.access_key_id, credentials.masked_id
    code, message, request_id, date = (
        redact(text, secrets).replace(key_id, masked)
        for text in (reply.code, reply.message, reply.request_id, reply.date)
    )
    return reply._replace(code=code, message=message, request_id=request_id, date=date)
