"""The service's messages: a signed request, a parsed reply. Pure; sends nothing.

Source of the shapes: the vendor's DeleteFlow page (API version 2020-06-06) and its official SDK.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from flowreaper.client import signing
from flowreaper.model import Credentials, Reply

VERSION = "2020-06-06"
METHOD = "POST"
PATH = "/"
BODY_LIMIT = 64 * 1024
"""Bytes of an answer that are read. DeleteFlow's answers have about 200; a proxy's page may have any number."""

_MESSAGE_LIMIT = 2000
_WORD_LIMIT = 200
_CUT = " [cut]"
_SUCCESS = 200


class Answer(NamedTuple):
    """The answer to one call: the reply, and the whole JSON object, empty where the reply is not readable."""

    reply: Reply
    content: Mapping[str, object]


class Request(NamedTuple):
    """A signed call: POST `path`?`query` without a body. `query` must go out byte for byte as it is."""

    query: str
    headers: dict[str, str]

    @property
    def secrets(self) -> tuple[str, str]:
        """The signature, and the security token or an empty text: a server may echo them."""
        return self.headers["authorization"].rpartition("=")[2], self.headers.get("x-acs-security-token", "")

    def __repr__(self) -> str:
        # The headers hold a live signature and, with STS, the security token.
        return f"Request({self.query!r})"


def signed_request(
    action: str,
    parameters: Mapping[str, str],
    credentials: Credentials,
    *,
    host: str,
    now_s: float,
    nonce: str,
    version: str = VERSION,
) -> Request:
    """Build one signed call of an operation (`action`); all its parameters go into the query.

    `host` is the Host header's value (with the port where it is not the default). `now_s` is the service's
    time in seconds since the epoch; the service accepts it within 15 minutes. `nonce` must be new.
    """
    # Before the headers hold a token: a text that cannot be encoded raises here.
    query = signing.canonical_query(parameters)
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": timestamp(now_s),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": signing.EMPTY_BODY_SHA256,
    }
    if credentials.security_token:
        headers["x-acs-accesskey-id"] = credentials.access_key_id
        headers["x-acs-security-token"] = credentials.security_token
    headers["authorization"] = signing.authorization(
        credentials, method=METHOD, path=PATH, query=query, headers=headers
    )
    headers["accept"] = "application/json"
    return Request(query, headers)


def timestamp(now_s: float) -> str:
    """Write seconds since the epoch as the service wants it: ``YYYY-MM-DDTHH:MM:SSZ``."""
    return _timestamp(int(now_s))


@lru_cache(maxsize=1)  # many calls leave in one second, and strftime costs as much as a hash
def _timestamp(now_s: int) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_answer(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    complete: bool = True,
    coded: bool = True,
) -> Answer:
    """Read an HTTP answer. `headers` must find names in any case; `complete` is False for a cut body.

    `coded` is False where a success has no Code (STS): HTTP 200 without one then counts as OK.

    Never raises: whatever is not the service's JSON object is a reply that is not `readable`.
    """
    retry_after_ms = _milliseconds(headers.get("x-acs-retry-after", ""))
    date = headers.get("Date", "")
    answer = _json_object(body) if complete else None
    if answer is None:
        said = _cut(body[:_MESSAGE_LIMIT].decode(errors="backslashreplace"), _MESSAGE_LIMIT)
        what = "the answer is no JSON object" if complete else "the answer was cut short"
        more = _CUT if len(body) > _MESSAGE_LIMIT else ""
        reply = Reply(
            status,
            message=f"{what}: {said!r}{more}",
            readable=False,
            retry_after_ms=retry_after_ms,
            date=date,
        )
        return Answer(reply, {})
    code = _word(answer, "Code", _WORD_LIMIT)
    if not (code or coded) and status == _SUCCESS:
        code = "OK"
    reply = Reply(
        status,
        code,
        _word(answer, "Message", _MESSAGE_LIMIT),
        _word(answer, "RequestId", _WORD_LIMIT),
        # An object without a Code is somebody else's JSON: a proxy's, a captive portal's.
        readable=bool(code),
        retry_after_ms=retry_after_ms,
        date=date,
    )
    return Answer(reply, answer if code else {})


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):  # ValueError covers bad JSON, bad UTF-8 and numbers too long
        return None
    return value if isinstance(value, dict) else None


def _word(answer: Mapping[str, object], name: str, limit: int) -> str:
    """Return a field as text, empty where it holds neither text nor a whole number.

    Some gateways write the names with a lower-case first letter, and codes such as 999999 as numbers.
    """
    value = answer.get(name, answer.get(name[0].lower() + name[1:]))
    if isinstance(value, str):
        return _cut(value, limit)
    return _cut(str(value), limit) if type(value) is int else ""  # a bool is an int, too, but no word


def _cut(text: str, limit: int) -> str:
    # Lone surrogates come out of \udXXX escapes in JSON; neither SQLite nor a terminal takes them.
    safe = text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
    return safe if len(safe) <= limit else safe[:limit] + _CUT


def _milliseconds(text: str) -> int:
    # A header is foreign text: int() takes '1_0', ' +5' and digits of every script, and 4,300 digits raise.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004 -- 11 days
