"""What a reply means: the one table of codes. Pure; Code first, HTTP status second.

Source: the vendor's DeleteFlow page for the documented codes, the family's conventions for the rest. The
codes for a missing and for a published flow are not documented, so a user's own words (`overrides`, from
``treat``) come before everything but success.
"""

import re
from collections.abc import Mapping

from flowreaper.errors import Advice
from flowreaper.escaping import printable
from flowreaper.model import Classification, Reply, ReplyClass

OK = "OK"

TREATABLE = (
    ReplyClass.THROTTLED,
    ReplyClass.TRANSIENT,
    ReplyClass.FATAL,
    ReplyClass.REFUSED,
    ReplyClass.ABSENT,
)
"""The classes that a user may give to a code: ``deleted`` is not among them, only the service can say so."""

_EXACT = {
    "System.LimitControl": ReplyClass.THROTTLED,
    "Throttling": ReplyClass.THROTTLED,
    "InternalError": ReplyClass.TRANSIENT,
    "ServiceUnavailable": ReplyClass.TRANSIENT,
    "999999": ReplyClass.TRANSIENT,
    "ERR-COMMON-001": ReplyClass.TRANSIENT,
    "System.Error": ReplyClass.TRANSIENT,
    "SignatureNonceUsed": ReplyClass.TRANSIENT,
    "InvalidSecurityToken": ReplyClass.RENEW,
    "MissingSecurityToken": ReplyClass.RENEW,
    "InvalidTimeStamp.Expired": ReplyClass.CLOCK,
    "Ram.PermissionDeny": ReplyClass.FATAL,
    "Product.Unsubscript": ReplyClass.FATAL,
    "NoPermission": ReplyClass.FATAL,
    "Forbidden": ReplyClass.FATAL,
    "InvalidAccessKeyId": ReplyClass.FATAL,
    "SignatureDoesNotMatch": ReplyClass.FATAL,
    "IncompleteSignature": ReplyClass.FATAL,
    "InvalidSignatureMethod": ReplyClass.FATAL,
    "InvalidAction.NotFound": ReplyClass.FATAL,
    "InvalidApi.NotFound": ReplyClass.FATAL,
    "InvalidProduct.NotFound": ReplyClass.FATAL,
    "InvalidProtocol.NeedSsl": ReplyClass.FATAL,
    "UnsupportedHTTPMethod": ReplyClass.FATAL,
    "CHAT.APIError": ReplyClass.FATAL,
    "Unknown.ResourceOwnerId": ReplyClass.REFUSED,
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
    ("Throttling.", ReplyClass.THROTTLED),
    ("InvalidSecurityToken.", ReplyClass.RENEW),
    ("Forbidden.", ReplyClass.FATAL),
    ("InvalidAccessKeyId.", ReplyClass.FATAL),
)
_ABSENT_ENDINGS = ("NotExist", "NotExists", "NotFound")
# A code that misses something else than the flow: a mistyped space would make every flow absent.
_OTHER_THINGS = re.compile("Space|Account|User|Owner", re.IGNORECASE)
_SAYS_GONE = re.compile(r"\b(flow|object)\b.* (does not|doesn't) exist\b", re.IGNORECASE)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_SUCCESS = 200


def classify(
    reply: Reply, *, in_doubt: bool = False, overrides: Mapping[str, ReplyClass] | None = None
) -> Classification:
    """Name the meaning of one reply.

    `in_doubt` is whether an earlier call for this flow may have deleted it: a message that says "does not
    exist" under a code that does not (Meta's, relayed as ERR-FB-001) also covers a missing permission, and
    means absent only then. A throttled reply can leave doubt, too: a
    failing server may name a time to wait.
    """
    slow_down = reply.status == _TOO_MANY_REQUESTS or reply.retry_after_ms > 0
    if not reply.readable or reply.code == OK:
        if reply.readable and reply.status == _SUCCESS:
            return Classification(ReplyClass.DELETED)
        # Lost, cut, somebody else's, or an OK that its own status contradicts: nobody knows what became of
        # the flow. Only a 429 that does not say OK tells that the call was turned away.
        turned_away = reply.status == _TOO_MANY_REQUESTS and reply.code != OK
        return Classification(
            ReplyClass.THROTTLED if slow_down else ReplyClass.TRANSIENT,
            doubt=reply.reached and not turned_away,
        )
    told = (overrides or {}).get(reply.code)
    named = told or _named(reply.code)
    kind = named or _unnamed(reply, in_doubt=in_doubt)
    # A server that failed half-way, or a gateway that gave up waiting for it; a used nonce means that this
    # very request arrived before. An unavailable service that says so itself did certainly nothing, and
    # what a user's own word makes transient is taken for a plain no.
    sure = reply.status < _SERVER_ERROR and (told is not None or reply.code == "ServiceUnavailable")
    doubt = kind is ReplyClass.TRANSIENT and not sure
    if slow_down and not told and named in (None, ReplyClass.TRANSIENT):
        kind = ReplyClass.THROTTLED
    return Classification(kind, doubt=doubt)


def _named(code: str) -> ReplyClass | None:
    return _EXACT.get(code) or next((kind for prefix, kind in _PREFIXES if code.startswith(prefix)), None)


def _unnamed(reply: Reply, *, in_doubt: bool) -> ReplyClass:
    # Before the codes of absence: a failing server's "...NotFound" speaks of its own parts.
    if reply.status >= _SERVER_ERROR:
        return ReplyClass.TRANSIENT
    if reply.code.endswith(_ABSENT_ENDINGS):
        return ReplyClass.REFUSED if _OTHER_THINGS.search(reply.code) else ReplyClass.ABSENT
    return ReplyClass.ABSENT if in_doubt and _SAYS_GONE.search(reply.message) else ReplyClass.REFUSED


def advice_for(reply: Reply) -> Advice | None:
    """Return what else can be done about a reply that stops the run: a code without advice of its own can be treated."""
    return None if _advice(reply.code) else Advice.TREAT_CODE


def _advice(code: str) -> str:
    return next((text for known, text in _ADVICE if code.startswith(known)), "")


def explain(reply: Reply) -> str:
    """Say in words why a reply stops the run, and what to do."""
    advice = (
        _advice(reply.code)
        or "see what the code means; if it concerns single flows only, treat it as refused"
    )
    return (
        f"the service refuses every call: {printable(reply.code)} (HTTP {reply.status},"
        f" request id {printable(reply.request_id) or 'unknown'}): {printable(reply.message)}\n"
        f"What to do: {advice}"
    )
