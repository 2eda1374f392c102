"""Signature V3 (ACS3-HMAC-SHA256): one function a stage, so that each can be tested with a vector. Pure.

Source of the rules: the vendor's "Request syntax and signature method V3". The caller gives the date and the nonce, as
headers.
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
    """Percent-encode as UTF-8, except for letters, digits and ``-_.~`` (RFC 3986); hex in upper case."""
    if text.isascii() and text.isalnum():
        return text  # nearly every id and name, in a tenth of the time
    return quote(text, safe="~")


def canonical_query(parameters: Mapping[str, str]) -> str:
    """Join the parameters sorted by name; an empty value keeps its ``=``."""
    return "&".join(f"{percent_encode(k)}={percent_encode(v)}" for k, v in sorted(parameters.items()))


def canonical_headers(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the block of signed headers and their names joined by ``;``.

    Host, content-type and every x-acs-* header are signed; others are not.
    """
    order, names = _signed_names(tuple(headers))
    return "".join([f"{name}:{headers[key].strip()}\n" for name, key in order]), names


@lru_cache(maxsize=16)  # all calls of an account have the same header names
def _signed_names(keys: tuple[str, ...]) -> tuple[tuple[tuple[str, str], ...], str]:
    """Return the signed names in order, each with its key in the mapping, and the names joined by ``;``."""
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
    """Return the algorithm's name and the SHA-256 of the canonical request, in hex."""
    return f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"


def signature(secret: str, to_sign: str) -> str:
    """Return the HMAC-SHA256 in hex. The key is the secret itself: V3 derives none."""
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
    """Return the Authorization header's value. `headers` are all other headers of the request."""
    signed_headers = canonical_headers(headers)
    to_sign = string_to_sign(_joined(method, path, query, signed_headers, body_sha256))
    signed = signature(credentials.access_key_secret, to_sign)
    names = signed_headers[1]
    return f"{ALGORITHM} Credential={credentials.access_key_id},SignedHeaders={names},Signature={signed}"


def _joined(method: str, path: str, query: str, signed_headers: tuple[str, str], body_sha256: str) -> str:
    block, names = signed_headers
    return f"{method}\n{path}\n{query}\n{block}\n{names}\n{body_sha256}"
