"""A flow's life in frozen values, which pass from module to module: states, replies, outcomes, records.

Values that exist once a flow (`Flow`, `Entry`, `Claim`, `Reply`, `Outcome`) are named tuples: a run makes a million
of them, and a frozen dataclass takes three times as long to make.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class State(StrEnum):
    """A flow's state, from reading to its outcome."""

    PENDING = "pending"  # read; not called yet, or to be called again
    CLAIMED = "claimed"  # a request may have been sent
    DELETED = "deleted"  # Code OK; or inferred: absent after a call without a reply
    ABSENT = "absent"  # did not exist
    KEPT = "kept"  # left alone by a safeguard; never sent
    REFUSED = "refused"  # rejected by the service for good
    GAVE_UP = "gave_up"  # attempts used up on transient errors
    INVALID = "invalid"  # the input line is no flow id; never sent

    @property
    def final(self) -> bool:
        """Whether a flow in this state is never called again unless the user names it."""
        return self not in UNFINISHED


UNFINISHED = (State.PENDING, State.CLAIMED)
"""States of flows that have no outcome yet: a run calls them."""

FINAL = tuple(state for state in State if state.final)
"""States of flows and lines that have their outcome."""

FAILED = (State.REFUSED, State.GAVE_UP, State.INVALID)
"""Final states of what should have been deleted and was not."""


class Flow(NamedTuple):
    """One flow's identity. `cust_space_id` is empty for the account's own space."""

    flow_id: str
    cust_space_id: str = ""


class Entry(NamedTuple):
    """A flow as it was read, and where: `source`, and `line` counted from 1."""

    flow: Flow
    source: str
    line: int


class InvalidEntry(NamedTuple):
    """A piece of input that cannot be a flow id.

    `text` is the input, escaped and cut so that it can be stored and shown; `reason` is a sentence.
    """

    text: str
    reason: str
    source: str
    line: int


AnyEntry = Entry | InvalidEntry
"""What a piece of input was read as."""


class Added(NamedTuple):
    """How many entries of a batch were new, how many repeated (known already), and which were invalid.

    `invalid` holds only lines that the checkpoint did not know. `resumed` counts the known flows that this run takes:
    unfinished ones of earlier runs, and finished ones that the user asked to retry. `reopened` are the latter by the
    state that they were in.
    """

    new: int
    repeated: int
    invalid: tuple[InvalidEntry, ...]
    resumed: int = 0
    reopened: Mapping[State, int] = MappingProxyType({})


class Retry(NamedTuple):
    """Which finished flows to retry: those in one of `states`, and if there are `codes`, with one of these."""

    states: tuple[State, ...] = ()
    codes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states)


class Claim(NamedTuple):
    """A flow that is durably claimed: its request may be sent.

    `row` is its number in the store. `attempts` counts its calls, without throttled ones. `in_doubt`: an earlier call
    without a reply may have deleted it.
    """

    row: int
    flow: Flow
    attempts: int
    in_doubt: bool
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, with a security token where it is temporary (STS).

    `expires_at` is in seconds since the epoch, None where it is not known. No repr shows the secret or the token.
    """

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.masked_id})"

    @property
    def masked_id(self) -> str:
        """The access key id with its middle hidden, fit for screens and files."""
        key = self.access_key_id
        return f"{key[:4]}****{key[-4:]}" if len(key) > 12 else f"{key[:2]}****"  # noqa: PLR2004 -- shorter ids would be shown nearly whole


class Reply(NamedTuple):
    """The reply to one call, in the service's own words.

    `status` is the HTTP status, 0 where no reply came. `code`, `message` and `request_id` are empty where the reply has
    none. `readable` is False where no reply came or its body is not the service's JSON. `reached` is False where the
    request was certainly not sent (no connection could be made). `retry_after_ms` is the service's Retry-After in
    milliseconds, 0 where there is none; `date` is the Date header, empty where there is none.
    """

    status: int
    code: str = ""
    message: str = ""
    request_id: str = ""
    readable: bool = True
    reached: bool = True
    retry_after_ms: int = 0
    date: str = ""


HELD_BACK = Reply(0, message="its permit was stale", readable=False, reached=False)
"""Stands for a call that was not sent because its permit was stale. Compare it by identity: it is no reply at all."""


class ReplyClass(StrEnum):
    """What a reply means for the run and for the flow."""

    DELETED = "deleted"  # this call deleted the flow
    ABSENT = "absent"  # the flow does not exist
    REFUSED = "refused"  # this flow is rejected for good
    THROTTLED = "throttled"  # the account's rate is too high; not the flow's fault
    TRANSIENT = "transient"  # try this flow again, with back-off
    RENEW = "renew"  # the credentials have expired: fetch them again, once
    CLOCK = "clock"  # this machine's clock is off: correct it, then try again
    FATAL = "fatal"  # every flow would get the same reply: stop


class Classification(NamedTuple):
    """What one reply means. `doubt`: the flow may or may not exist after it."""

    reply_class: ReplyClass
    doubt: bool = False


class Finding(NamedTuple):
    """What a look at a flow, just before its deletion, found.

    `state` is None where it may be deleted; else the state that it ends in without a call, and `reply` says why: the
    service's own reply, or one that stands for the safeguard's reason (`code` and `message`, status 0).
    """

    state: State | None
    reply: Reply = Reply(0)


class Outcome(NamedTuple):
    """A flow's final state, with the reply that decided it. `finished_at_ms` is since the epoch."""

    claim: Claim
    state: State
    inferred: bool
    in_doubt: bool
    attempts: int
    reply: Reply
    finished_at_ms: int


class Unsent(NamedTuple):
    """The outcome of a flow that was only looked at, and never claimed by this run; its claim's row is unfinished."""

    outcome: Outcome


class Requeue(NamedTuple):
    """A claimed flow that becomes pending again, with its attempts and doubt so far."""

    row: int
    attempts: int
    in_doubt: bool


class Reopen(NamedTuple):
    """Outcomes that are taken back: these absent rows become pending again, `earlier` of them of earlier runs."""

    rows: tuple[int, ...]
    earlier: int = 0


Change = Outcome | Unsent | Requeue | Reopen
"""What a reply, or a look at a flow, changes in the store."""


class Record(NamedTuple):
    """What the store holds about one flow or invalid line: the fields of `flowreaper results`.

    None: not known, or does not apply. `finished_at` is UTC, ISO 8601 with milliseconds.
    """

    flow_id: str
    cust_space_id: str | None
    state: State
    inferred: bool
    in_doubt: bool
    attempts: int
    http_status: int | None
    code: str | None
    message: str | None
    request_id: str | None
    source: str | None
    line: int | None
    finished_at: str | None


class Cause(NamedTuple):
    """Flows or invalid lines of a job that ended alike: their state and code, how many they are, and a few of them.

    `flows` counts them. `code` is empty where no reply had one. Of invalid lines the code is empty and the sample is
    their text.
    """

    state: State
    code: str
    flows: int
    sample: tuple[Flow, ...]


class Ending(StrEnum):
    """Why a run ended. `meaning` is the one table of endings, for screens, JSON, reports and README."""

    FINISHED = "finished"
    INCOMPLETE = "incomplete"
    LIMIT = "limit"
    TIME_UP = "time_up"
    INTERRUPTED = "interrupted"
    STOPPED = "stopped"

    @property
    def meaning(self) -> str:
        """What the ending says of the run, as a clause."""
        return _ENDINGS[self]


_ENDINGS = {
    Ending.FINISHED: "every flow that was taken is deleted, absent or kept",
    Ending.INCOMPLETE: "nothing is left to do, but some flows were refused, invalid or given up",
    Ending.LIMIT: "the limit of flows was reached; flows or input are left",
    Ending.TIME_UP: "the time was up; flows or input are left",
    Ending.INTERRUPTED: "interrupted by a signal or by the caller",
    Ending.STOPPED: "stopped by something that concerns every flow",
}
