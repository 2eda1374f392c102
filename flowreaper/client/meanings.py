"""What error codes mean to a person, and what to do about them: the one table, for screens, reports and README. Pure.

Source: the vendor's DeleteFlow page and its pages on common errors; what is said of undocumented codes is inferred from
the naming of the vendor's other operations.
"""

from typing import NamedTuple

from flowreaper.model import State


class Meaning(NamedTuple):
    """What a code means, and what to do: two clauses without a full stop."""

    meaning: str
    remedy: str


_GRANT = Meaning(
    "the RAM user or role may not delete flows",
    "grant the RAM user or role the action cams:DeleteFlow on the resource *",
)

BY_CODE = {
    "System.LimitControl": Meaning(
        "the account's calls per second are used up", "nothing: the run slows down and calls the flow again"
    ),
    "Throttling": Meaning(
        "the account's calls per second are used up", "nothing: the run slows down and calls the flow again"
    ),
    "Ram.PermissionDeny": _GRANT,
    "NoPermission": _GRANT,
    "Forbidden": _GRANT,
    "Product.Unsubscript": Meaning(
        "the account has not subscribed to the service",
        "subscribe the account to Chat App Message Service",
    ),
    "Unknown.ResourceOwnerId": Meaning(
        "the flow or its space belongs to another account",
        "check the access key's account and the space of these flows",
    ),
    "InvalidAccessKeyId": Meaning(
        "the access key is not known",
        "check the access key id: it is unknown, disabled, or of another account",
    ),
    "SignatureDoesNotMatch": Meaning(
        "the signature is wrong",
        "check the access key secret: it does not belong to this access key id",
    ),
    "InvalidTimeStamp": Meaning(
        "this machine's clock is off by more than 15 minutes", "set this machine's clock"
    ),
    "MissingSecurityToken": Meaning(
        "a temporary key came without its token", "give the security token of the temporary key"
    ),
    "InvalidSecurityToken": Meaning(
        "the security token has expired or is wrong",
        "get a new security token from the source of the credentials",
    ),
    "InternalError": Meaning("the service failed", "call these flows again later"),
    "ServiceUnavailable": Meaning("the service was not available", "call these flows again later"),
}
"""By code, or by what stands before the code's first ``.``, the longer one first."""

_BY_STATE = {
    State.ABSENT: Meaning(
        "the flow does not exist",
        "nothing, if it was deleted before; else check the account, the region and the space",
    ),
    State.INVALID: Meaning("the input is no flow id; nothing was sent", "correct the lines"),
    State.GAVE_UP: Meaning(
        "no usable answer came in any attempt; the flow may or may not be deleted",
        "call these flows again later",
    ),
    State.DELETED: Meaning("a call had no answer, and the next one found that the flow is gone", "nothing"),
    State.REFUSED: Meaning(
        "the service does not document this code; its message is in the results",
        "look at the message; a published flow, for one, cannot be deleted",
    ),
}


def known_meaning(code: str) -> Meaning | None:
    """Return the meaning of a code that the table has, whatever follows a dot; else None."""
    while code:
        if found := BY_CODE.get(code):
            return found
        code = code.rpartition(".")[0]
    return None


def meaning_of(state: State, code: str) -> Meaning:
    """Return what it means that flows ended in this final state with this code, which may be empty."""
    if state in (State.REFUSED, State.GAVE_UP) and (found := known_meaning(code)):
        return found
    return _BY_STATE[state]
