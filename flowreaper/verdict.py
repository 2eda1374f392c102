"""What a reply means: the one table of codes. Pure; Code first, HTTP status second.

Source: the vendor's DeleteFlow page for the documented codes, the family's conventions for the rest. The
codes for a missing and for a published flow are not documented, so a user's own words (`overrides`, from
``--treat CODE=CLASS``) come before everything but success.
"""

import re
from collections.abc import Mapping

from flowreaper.model import Kind, Reply, Verdict

OK = "OK"

TREATABLE = (Kind.THROTTLED, Kind.TRANSIENT, Kind.FATAL, Kind.REFUSED, Kind.ABSENT)
"""The classes that a user may give to a code: ``deleted`` is not among them, only the service can say so."""

_EXACT = {
    "System.LimitControl": Kind.THROTTLED,
    "Throttling": Kind.THROTTLED,
    "InternalError": Kind.TRANSIENT,
    "ServiceUnavailable": Kind.TRANSIENT,
    "999999": Kind.TRANSIENT,
    "ERR-COMMON-001": Kind.TRANSIENT,
    "System.Error": Kind.TRANSIENT,
    "SignatureNonceUsed": Kind.TRANSIENT,
    "InvalidSecurityToken": Kind.RENEW,
    "MissingSecurityToken": Kind.RENEW,
    "InvalidTimeStamp.Expired": Kind.CLOCK,
    "Ram.PermissionDeny": Kind.FATAL,
    "Product.Unsubscript": Kind.FATAL,
    "NoPermission": Kind.FATAL,
    "Forbidden": Kind.FATAL,
    "InvalidAccessKeyId": Kind.FATAL,
    "SignatureDoesNotMatch": Kind.FATAL,
    "IncompleteSignature": Kind.FATAL,
    "InvalidSignatureMethod": Kind.FATAL,
    "InvalidAction.NotFound": Kind.FATAL,
    "InvalidApi.NotFound": Kind.FATAL,
    "InvalidProduct.NotFound": Kind.FATAL,
    "InvalidProtocol.NeedSsl": Kind.FATAL,
    "UnsupportedHTTPMethod": Kind.FATAL,
    "CHAT.APIError": Kind.FATAL,
    "Unknown.ResourceOwnerId": Kind.REFUSED,
}
_PREFIXES = (
    ("Throttling.", Kind.THROTTLED),
    ("InvalidSecurityToken.", Kind.RENEW),
    ("Forbidden.", Kind.FATAL),
    ("InvalidAccessKeyId.", Kind.FATAL),
)
_ABSENT_ENDINGS = ("NotExist", "NotExists", "NotFound")
_RELAYED = "ERR-FB-001"
_SAYS_GONE = re.compile(r"\b(flow|object)\b.* (does not|doesn't) exist\b", re.IGNORECASE)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_SUCCESS = 200


def judge(reply: Reply, *, in_doubt: bool = False, overrides: Mapping[str, Kind] | None = None) -> Verdict:
    """Name the meaning of one reply.

    `in_doubt` is whether an earlier call for this flow may have deleted it: Meta's relayed "does not exist"
    also covers a missing permission, and means absent only then.
    """
    if reply.status == _SUCCESS and reply.code == OK:
        return Verdict(Kind.DELETED)
    if not reply.readable:
        if _asks_to_slow_down(reply):
            return Verdict(Kind.THROTTLED)
        return Verdict(Kind.TRANSIENT, doubt=reply.reached)
    kind = _kind_of(reply, in_doubt=in_doubt, overrides=overrides or {})
    # A 5xx comes from a server that failed half-way or a gateway that gave up waiting for one. A used
    # nonce means that this very request, or its twin, arrived before: a proxy repeated it.
    unsure = reply.status >= _SERVER_ERROR or reply.code == "SignatureNonceUsed"
    return Verdict(kind, doubt=kind is Kind.TRANSIENT and unsure)


def _kind_of(reply: Reply, *, in_doubt: bool, overrides: Mapping[str, Kind]) -> Kind:
    if reply.code in overrides:
        return overrides[reply.code]
    named = _named(reply.code)
    if named in (None, Kind.TRANSIENT) and _asks_to_slow_down(reply):
        return Kind.THROTTLED
    if named:
        return named
    # Before the codes of absence: a failing server's "...NotFound" speaks of its own parts.
    if reply.status >= _SERVER_ERROR:
        return Kind.TRANSIENT
    gone = reply.code.endswith(_ABSENT_ENDINGS) or _SAYS_GONE.search(reply.message)
    return Kind.ABSENT if gone and (in_doubt or reply.code != _RELAYED) else Kind.REFUSED


def _named(code: str) -> Kind | None:
    return _EXACT.get(code) or next((kind for prefix, kind in _PREFIXES if code.startswith(prefix)), None)


def _asks_to_slow_down(reply: Reply) -> bool:
    return reply.status == _TOO_MANY_REQUESTS or reply.retry_after_ms > 0
