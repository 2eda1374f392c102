"""What a reply means: the one table of error codes. Pure.

The Code decides, then the HTTP status. Source: the vendor's DeleteFlow page for the documented codes, the conventions
of the vendor's other operations for the rest. The codes of a missing and of a published flow are not documented, so
the user's `overrides` come before everything but success.
"""

import re
from collections.abc import Mapping

from flowreaper.client.meanings import known_meaning, remedy_of
from flowreaper.errors import Advice
from flowreaper.escaping import printable
from flowreaper.model import Classification, Reply, ReplyClass

OK = "OK"
DELETE_FLOW = "DeleteFlow"

TREATABLE = (
    ReplyClass.THROTTLED,
    ReplyClass.TRANSIENT,
    ReplyClass.FATAL,
    ReplyClass.REFUSED,
    ReplyClass.ABSENT,
)
"""The classes that a user may give to a code. ``deleted`` is not one of them: only the service can say that."""

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
_PREFIXES = (
    ("Throttling.", ReplyClass.THROTTLED),
    ("InvalidSecurityToken.", ReplyClass.RENEW),
    ("Forbidden.", ReplyClass.FATAL),
    ("InvalidAccessKeyId.", ReplyClass.FATAL),
)
_ABSENT_ENDINGS = ("NotExist", "NotExists", "NotFound")
# In these codes something other than the flow is missing. With a mistyped space, every flow would count as absent.
_OTHER_THINGS = re.compile("Space|Account|User|Owner", re.IGNORECASE)
_SAYS_GONE = re.compile(r"\b(flow|object)\b.* (does not|doesn't) exist\b", re.IGNORECASE)
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_SUCCESS = 200


def classify(
    reply: Reply, *, in_doubt: bool = False, overrides: Mapping[str, ReplyClass] | None = None
) -> Classification:
    """Return the class of a reply, and whether the flow may be gone after it (`doubt`).

    - `in_doubt`: an earlier call may have deleted this flow.
    - `overrides`: the user's classes of codes. A success stays a success.
    - A message of Meta's, relayed as ERR-FB-001, says "does not exist" also if a permission is missing. So it means
      absent only for a flow in doubt.
    - A throttled reply can leave doubt: a failing server may send a time to wait, too.
    """
    slow_down = reply.status == _TOO_MANY_REQUESTS or reply.retry_after_ms > 0
    if not reply.readable or reply.code == OK:
        if reply.readable and reply.status == _SUCCESS:
            return Classification(ReplyClass.DELETED)
        # The reply was lost, cut, or not the service's, or its status contradicts its OK: the flow may be gone.
        # Only a 429 without OK says for sure that the call was rejected.
        rejected = reply.status == _TOO_MANY_REQUESTS and reply.code != OK
        return Classification(
            ReplyClass.THROTTLED if slow_down else ReplyClass.TRANSIENT,
            doubt=reply.reached and not rejected,
        )
    override = (overrides or {}).get(reply.code)
    listed = override or _listed(reply.code)
    reply_class = listed or _unlisted(reply, in_doubt=in_doubt)
    # A transient reply leaves doubt: the server may have failed half-way, a gateway may have stopped waiting for it,
    # and a used nonce means that the same request arrived before. There is no doubt below status 500 if the service
    # itself says that it is unavailable, or if the user made the code transient.
    sure = reply.status < _SERVER_ERROR and (override is not None or reply.code == "ServiceUnavailable")
    doubt = reply_class is ReplyClass.TRANSIENT and not sure
    if slow_down and not override and listed in (None, ReplyClass.TRANSIENT):
        reply_class = ReplyClass.THROTTLED
    return Classification(reply_class, doubt=doubt)


def _listed(code: str) -> ReplyClass | None:
    return _EXACT.get(code) or next((found for prefix, found in _PREFIXES if code.startswith(prefix)), None)


def _unlisted(reply: Reply, *, in_doubt: bool) -> ReplyClass:
    # Checked before the codes of absence: a failing server's "...NotFound" is about its own parts.
    if reply.status >= _SERVER_ERROR:
        return ReplyClass.TRANSIENT
    if reply.code.endswith(_ABSENT_ENDINGS):
        return ReplyClass.REFUSED if _OTHER_THINGS.search(reply.code) else ReplyClass.ABSENT
    return ReplyClass.ABSENT if in_doubt and _SAYS_GONE.search(reply.message) else ReplyClass.REFUSED


def is_answer(reply: Reply) -> bool:
    """Return whether the service itself answered: readable, and no server error."""
    return reply.readable and reply.status < _SERVER_ERROR


def advice_for(reply: Reply) -> Advice | None:
    """Return what else can be done about a reply that stops the run: a code that is not known can be treated."""
    return None if known_meaning(reply.code) else Advice.TREAT_CODE


def explain(reply: Reply, operation: str = DELETE_FLOW) -> str:
    """Return why a reply stops the run, and what to do: the message of a FatalReplyError."""
    remedy = (
        remedy_of(reply.code, operation)
        or "look up the code; if it concerns single flows only, treat it as refused"
    )
    calls = "every call" if operation == DELETE_FLOW else operation
    return f"the service refuses {calls}: {in_words(reply)}\nWhat to do: {remedy}"


def in_words(reply: Reply) -> str:
    """Return a refusal as it came: code, HTTP status, request id and message."""
    return (
        f"{printable(reply.code)} (HTTP {reply.status}, request id {printable(reply.request_id) or 'unknown'}):"
        f" {printable(reply.message)}"
    )
