"""Is a request signed by a key that the sandbox knows? The judge of signers, so it shares no code with one.

Source of the rules: the vendor's "Request syntax and signature method V3". Pure: the time is an argument.
"""

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from flowreaper.model import Credentials
from flowreaper.sandbox.answer import BAD_DATE, EXPIRED, MISMATCH, UNKNOWN_KEY, Answer
from flowreaper.sandbox.parameters import is_form
from flowreaper.sandbox.undocumented import BAD_TOKEN, NONCE_USED, incomplete_signature

ALGORITHM = "ACS3-HMAC-SHA256"
DATE_TOLERANCE_S = 15 * 60
NONCE_LIMIT = 1_000_000
"""Nonces that are remembered at most; the oldest are forgotten first."""

# A request dated 15 minutes ahead stays valid for 30, so a nonce is worth remembering that long.
_NONCE_LIFE_S = 2 * DATE_TOLERANCE_S
_ALWAYS_SIGNED = frozenset(
    {
        "host",
        "x-acs-action",
        "x-acs-version",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-content-sha256",
    }
)
_AUTHORIZATION = re.compile(
    r"(?P<algorithm>[^ ]+) +Credential=(?P<key>[^,]+),SignedHeaders=(?P<names>[^,]+),Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Incoming(NamedTuple):
    """A request as it came: `parameters` decoded from the query alone, `headers` with lower-case names."""

    method: str
    path: str
    parameters: Iterable[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes = b""


class Verifier:
    """Knows some keys and the nonces that were used with them."""

    def __init__(self, *credentials: Credentials) -> None:
        self._credentials = {key.access_key_id: key for key in credentials}
        self._nonces: OrderedDict[str, float] = OrderedDict()

    def refusal(self, incoming: Incoming, now_s: float) -> Answer | None:
        """Return why the request is refused, None if it is not. Only a valid signature uses its nonce up."""
        headers = incoming.headers
        parts = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
        if parts is None or parts["algorithm"] != ALGORITHM:
            return incomplete_signature(
                "The sandbox checks signature V3 only: Authorization must be "
                f"{ALGORITHM} Credential=…,SignedHeaders=…,Signature=…"
            )
        names = parts["names"].split(";")
        if complaint := _complaint(names, headers):
            return incomplete_signature(complaint)
        credentials = self._credentials.get(parts["key"])
        if credentials is None:
            return UNKNOWN_KEY
        body_sha256 = hashlib.sha256(incoming.body).hexdigest()
        canonical = _canonical(incoming, names, body_sha256)
        expected = _sign(credentials.access_key_secret, canonical)
        if headers["x-acs-content-sha256"] != body_sha256 or not hmac.compare_digest(
            parts["signature"], expected
        ):
            return MISMATCH
        return (
            self._date_refusal(headers["x-acs-date"], now_s)
            or self._nonce_refusal(headers["x-acs-signature-nonce"], now_s)
            or _token_refusal(headers.get("x-acs-security-token", ""), credentials)
        )

    def _date_refusal(self, date: str, now_s: float) -> Answer | None:
        if not _DATE.fullmatch(date):
            return BAD_DATE
        try:
            at_s = datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        except ValueError:  # the 31st of February
            return BAD_DATE
        return None if abs(now_s - at_s) < DATE_TOLERANCE_S else EXPIRED

    def _nonce_refusal(self, nonce: str, now_s: float) -> Answer | None:
        if nonce in self._nonces:
            return NONCE_USED
        self._nonces[nonce] = now_s
        while len(self._nonces) > NONCE_LIMIT or next(iter(self._nonces.values())) < now_s - _NONCE_LIFE_S:
            self._nonces.popitem(last=False)
        return None


def _token_refusal(token: str, credentials: Credentials) -> Answer | None:
    same = hmac.compare_digest(_bytes(token), _bytes(credentials.security_token))
    return None if same else BAD_TOKEN


def _complaint(names: list[str], headers: Mapping[str, str]) -> str:
    if names != sorted(set(names)):
        return "SignedHeaders must be sorted and name no header twice"
    if missing := [name for name in names if name not in headers]:
        return f"SignedHeaders names headers that were not sent: {';'.join(missing)}"
    wanted = _ALWAYS_SIGNED.union(name for name in headers if name.startswith("x-acs-"))
    # Other types may stand unsigned: the vendor's Python SDK lets its HTTP library add one to an empty body.
    if is_form(headers.get("content-type", "")):
        wanted = wanted.union(("content-type",))
    if unsigned := sorted(wanted.difference(names)):
        return f"SignedHeaders must also name {';'.join(unsigned)}"
    return ""


def _canonical(incoming: Incoming, names: list[str], body_sha256: str) -> str:
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(incoming.parameters))
    block = "".join(f"{name}:{incoming.headers[name].strip()}\n" for name in names)
    return "\n".join((incoming.method, incoming.path, query, block, ";".join(names), body_sha256))


def _encoded(text: str) -> str:
    return quote(_bytes(text), safe="-_.~")


def _sign(secret: str, canonical: str) -> str:
    hashed = hashlib.sha256(_bytes(canonical)).hexdigest()
    return hmac.digest(_bytes(secret), f"{ALGORITHM}\n{hashed}".encode(), hashlib.sha256).hex()


def _bytes(text: str) -> bytes:
    # Header values that are not UTF-8 arrive with their bytes as lone surrogates.
    return text.encode("utf-8", "surrogateescape")
