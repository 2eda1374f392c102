"""What a reply means: the one table of codes. Pure; Code first, HTTP status second.

Source: the vendor's DeleteFlow page for the documented codes, the family's conventions for the rest. The
codes for a missing and for a published flow are not documented, so a user's own words (`overrides`, from
``--treat CODE=CLASS``) come before everything but success.
"""

import re
from collections.abc import Mapping

from flowreaper.escaping import printable
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
_GRANT = "grant the RAM user or role the action cams:DeleteFlow on the resource *"
_ADVICE = (
    ("Ram.PermissionDeny", _GRANT),
    ("NoPermission", _GRANT),
    ("Forbidden", _GRANT),
    ("Product.Unsubscript", "subscribe the account to Chat App Message Service"),
    ("InvalidAccessKeyId", "check the access key id: it is unknown, disabled, or of another account"),
    ("SignatureDoesNotMatch", "check the access key secret: it does not belong to this access key id"),
    ("InvalidTimeStamp", "set this machine's clock"),
    ("MissingSecurityToken", "give the security token of the temporary key"),
    ("InvalidSecurityToken", "get a new security token where the credentials come from"),
)
_PREFIXES = (
    ("Throttling.", Kind.THROTTLED),
    ("InvalidSecurityToken.", Kind.RENEW),
    ("Forbidden.", Kind.FATAL),
    ("InvalidAccessKeyId.", Kind.FATAL),
)
_ABSENT_ENDINGS = ("NotExist", "NotExists", "NotFound")
# A code that misses something else than the flow: a mistyped space would make every flow absent.
_OTHER_THINGS = re.compile("Space|Account|User|Owner", re.IGNORECASE)
_SAYS_GONE = re.compile(r"\b(flow|object)\b.* (does not|doesn't) exist\b", re.IGNORECASE)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_SUCCESS = 200


def judge(reply: Reply, *, in_doubt: bool = False, overrides: Mapping[str, Kind] | None = None) -> Verdict:
    """Name the meaning of one reply.

    `in_doubt` is whether an earlier call for this flow may have deleted it: a message that says "does not
    exist" under a code that does not (Meta's, relayed as ERR-FB-001) also covers a missing permission, and
    means absent only then. A throttled reply can leave doubt, too: a
    failing server may name a time to wait.
    """
    slow_down = reply.status == _TOO_MANY_REQUESTS or reply.retry_after_ms > 0
    if not reply.readable or reply.code == OK:
        if reply.readable and reply.status == _SUCCESS:
            return Verdict(Kind.DELETED)
        # Lost, cut, somebody else's, or an OK that its own status contradicts: nobody knows what became of
        # the flow. Only a 429 that does not say OK tells that the call was turned away.
        turned_away = reply.status == _TOO_MANY_REQUESTS and reply.code != OK
        return Verdict(
            Kind.THROTTLED if slow_down else Kind.TRANSIENT, doubt=reply.reached and not turned_away
        )
    told = (overrides or {}).get(reply.code)
    named = told or _named(reply.code)
    kind = named or _unnamed(reply, in_doubt=in_doubt)
    # A server that failed half-way, or a gateway that gave up waiting for it; a used nonce means that this
    # very request arrived before. An unavailable service that says so itself did certainly nothing, and
    # what a user's own word makes transient is taken for a plain no.
    sure = reply.status < _SERVER_ERROR and (told is not None or reply.code == "ServiceUnavailable")
    doubt = kind is Kind.TRANSIENT and not sure
    if slow_down and not told and named in (None, Kind.TRANSIENT):
        kind = Kind.THROTTLED
    return Verdict(kind, doubt=doubt)


def _named(code: str) -> Kind | None:
    return _EXACT.get(code) or next((kind for prefix, kind in _PREFIXES if code.startswith(prefix)), None)


def _unnamed(reply: Reply, *, in_doubt: bool) -> Kind:
    # Before the codes of absence: a failing server's "...NotFound" speaks of its own parts.
    if reply.status >= _SERVER_ERROR:
        return Kind.TRANSIENT
    if reply.code.endswith(_ABSENT_ENDINGS):
        return Kind.REFUSED if _OTHER_THINGS.search(reply.code) else Kind.ABSENT
    return Kind.ABSENT if in_doubt and _SAYS_GONE.search(reply.message) else Kind.REFUSED


def explain(reply: Reply) -> str:
    """Say in words why a reply stops the run, and what to do."""
    advice = next(
        (text for code, text in _ADVICE if reply.code.startswith(code)),
        "see what the code means; if it concerns single flows only, say so with --treat CODE=refused",
    )
    return (
        f"the service refuses every call: {printable(reply.code)} (HTTP {reply.status},"
        f" request id {printable(reply.request_id) or 'unknown'}): {printable(reply.message)}\n"
        f"What to do: {advice}."
    )
