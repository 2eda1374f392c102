"""Signature V3 (ACS3-HMAC-SHA256), one pure function a stage, so that each can be held against a vector.

Source of the rules: the vendor's "Request syntax and signature method V3". No clock, no randomness: the
date and the nonce are headers like any other, and the caller's to choose.
"""

import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from flowreaper.model import Credentials

ALGORITHM = "ACS3-HMAC-SHA256"
EMPTY_BODY_SHA256 = hashlib.sha256(b"").hexdigest()


def percent_encode(text: str) -> str:
    """Encode as UTF-8, keep only letters, digits and ``-_.~`` (RFC 3986), upper-case hex."""
    if text.isascii() and text.isalnum():
        return text  # nearly every id and name there is, for a tenth of the time
    return quote(text, safe="~")


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Join the parameters sorted by name; an empty value keeps its ``=``."""
    return "&".join(f"{percent_encode(k)}={percent_encode(v)}" for k, v in sorted(parameters.items()))


def canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the block of signed headers and their names joined by ``;``.

    Signed are host, content-type and every x-acs-*; others are left out.
    """
    order, names = _signed_names(tuple(headers))
    return "".join([f"{name}:{headers[key].strip()}\n" for name, key in order]), names


@lru_cache(maxsize=16)  # all calls of an account have headers of the same names
def _signed_names(keys: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the names that are signed in their order, each with its key, and the names joined."""
    order = sorted(
        (name, key)
        for key in keys
        if (name := key.lower()).startswith("x-acs-") or name in ("host", "content-type")
    )
    return tuple(order), ";".join(name for name, _ in order)


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body_sha256: str
) -> str:
    """Join the six parts; `query` is canonical already, `body_sha256` is hex."""
    return _joined(method, path, query, canonical_headers(headers), body_sha256)


def string_to_sign(canonical: str) -> str:
    """Name the algorithm, then hash the canonical request."""
    return f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(secret: str, to_sign: str) -> str:
    """Return the hex HMAC-SHA256, keyed with the bare secret: V3 derives no key."""
    return hmac.digest(secret.encode(), to_sign.encode(), "sha256").hex()


def authorization(
    credentials: Credentials,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body_sha256: str = EMPTY_BODY_SHA256,
) -> str:
    """Return the Authorization header's value for a request whose other headers are complete."""
    signed_headers = canonical_headers(headers)
    to_sign = string_to_sign(_joined(method, path, query, signed_headers, body_sha256))
    signed = signature(credentials.access_key_secret, to_sign)
    names = signed_headers[1]
    return f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={names},Signature={signed}"


def _joined(method: str, path: str, query: str, signed_headers: tuple[str, str], body_sha256: str) -> str:
    block, names = signed_headers
    return f"{method}\n{path}\n{query}\n{block}\n{names}\n{body_sha256}"
