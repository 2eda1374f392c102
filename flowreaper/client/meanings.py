"""What codes and states mean to a person, and what to do: the one table, for screens, reports, README, guide. Pure.

Source: the vendor's DeleteFlow page and its pages on common errors; what is said of undocumented codes is inferred from
the naming of the vendor's other operations.
"""

from collections.abc import Mapping
from typing import NamedTuple

from flowreaper.model import State


class Meaning(NamedTuple):
    """What a code or a state means, and what to do: two clauses without a full stop."""

    meaning: str
    remedy: str


_THROTTLED = Meaning(
    "the account's calls per second are used up", "nothing: the run slows down and calls the flow again"
)
_GRANT = Meaning(
    "the RAM user or role may not delete flows",
    "grant the RAM user or role the action cams:DeleteFlow on the resource *",
)
# The action stands there once for each operation; see `remedy_of`.

BY_CODE = {
    "System.LimitControl": _THROTTLED,
    "Throttling": _THROTTLED,
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

BY_STATE: Mapping[State, Meaning] = {
    State.DELETED: Meaning("the flow is deleted", "nothing"),
    State.ABSENT: Meaning(
        "the service said that the flow does not exist, and no earlier call of this job may have deleted it",
        "nothing, if it was deleted before; else check the account, the region and the space",
    ),
    State.KEPT: Meaning("a safeguard left the flow alone: nothing was sent", "nothing, if it is to stay"),
    State.REFUSED: Meaning(
        "the service rejected the call for good; it deleted nothing",
        "look at its message in the results; a published flow, for one, cannot be deleted",
    ),
    State.GAVE_UP: Meaning(
        "every attempt met trouble that may pass; a flow in doubt may be deleted all the same",
        "call these flows again later",
    ),
    State.INVALID: Meaning("the input is no flow id; nothing was sent", "correct the lines"),
    State.PENDING: Meaning("no outcome yet: not called, or to be called again", "run the job again"),
    State.CLAIMED: Meaning("no outcome yet: a call was about to be sent, or was sent", "run the job again"),
}
"""By state, outcomes first: what is so whatever the code."""

_BY_OWN_CODE = {
    "Status": Meaning(
        "the flow is no draft; its status stands after the dot", "nothing, if it is to stay published"
    ),
    "Template": Meaning(
        "a message template opens the flow; the template's code stands after the dot",
        "take the flow out of the template first, or nothing, if it is to stay",
    ),
    "Backup": Meaning(
        "the flow could not be saved, so it was not deleted", "look at its message in the results"
    ),
}
"""By what stands before the first ``.`` of a code that flowreaper gave itself, to a flow that it did not send."""

_CONFIRMED = Meaning("the service confirmed the deletion", "nothing")
_INFERRED = Meaning("a call had no answer, and the next one found that the flow is gone", "nothing")


def known_meaning(code: str) -> Meaning | None:
    """Return the meaning of a code that the table has, whatever follows a dot; else None."""
    while code:
        if found := BY_CODE.get(code):
            return found
        code = code.rpartition(".")[0]
    return None


def is_permission(code: str) -> bool:
    """Return whether a code says that the RAM user or role lacks a permission."""
    return known_meaning(code) is _GRANT


def remedy_of(code: str, operation: str) -> str | None:
    """Return what to do where an operation is refused with this code; None where the code is not known."""
    known = known_meaning(code)
    if known is None:
        return None
    return known.remedy.replace("cams:DeleteFlow", f"cams:{operation}")


def meaning_of(state: State, code: str, *, inferred: bool = True) -> Meaning:
    """Return what it means that flows ended in this final state with this code, which may be empty.

    `inferred` tells of deleted flows whether no reply confirmed it.
    """
    if state is State.DELETED:
        return _INFERRED if inferred else _CONFIRMED
    if state in (State.KEPT, State.GAVE_UP) and (own := _BY_OWN_CODE.get(code.partition(".")[0])):
        return own
    found = known_meaning(code) if state in (State.REFUSED, State.GAVE_UP) else None
    # What is said of a throttled call is untrue of a flow that is final, because the user treats the code so.
    return found if found and found is not _THROTTLED else BY_STATE[state]
