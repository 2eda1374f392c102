"""A flow's life in frozen values, which pass from module to module: states, replies, outcomes, records.

The values that exist once a flow (`Flow`, `Entry`, `Claim`, `Reply`, `Outcome`) are named tuples: they
are made a million times, and a frozen dataclass costs three times as much to make.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """Where a flow is in its life."""

    PENDING = "pending"  # read, not called, or to be called again
    CLAIMED = "claimed"  # a request may be on its way
    DELETED = "deleted"  # by us: Code OK, or absent after an answer that was lost
    ABSENT = "absent"  # was not there when we came
    REFUSED = "refused"  # the service's final no
    GAVE_UP = "gave_up"  # attempts used up on transient trouble
    INVALID = "invalid"  # the input is no flow id; never sent

    @property
    def final(self) -> bool:
        """Whether a flow in this state is never called again unless the user names it."""
        return self not in UNFINISHED


UNFINISHED = (State.PENDING, State.CLAIMED)
"""States of flows that have no outcome yet: a run calls them."""

FINAL = tuple(state for state in State if state.final)
"""States of flows and lines that have their outcome."""

FAILED = (State.REFUSED, State.GAVE_UP, State.INVALID)
"""Final states of what was neither deleted nor absent."""


class Flow(NamedTuple):
    """One flow's identity. `cust_space_id` is empty for the account's own space."""

    flow_id: str
    cust_space_id: str = ""


class Entry(NamedTuple):
    """A flow as it was read: where from (`source`, and `line` counted from 1)."""

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


class Added(NamedTuple):
    """What became of a batch of entries: how many were new or known already, and which were invalid.

    `invalid` holds only what was not in the checkpoint before. `resumed` counts the flows among those known
    already that this run takes: unfinished ones of earlier runs, and finished ones that the user asked for again.
    """

    new: int
    repeated: int
    invalid: tuple[InvalidEntry, ...]
    resumed: int = 0


class Retry(NamedTuple):
    """Which finished flows to take again: in one of `states`; with `codes`, only those with one of these codes."""

    states: tuple[State, ...] = ()
    codes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.states)


class Claim(NamedTuple):
    """A flow that is durably claimed: its request may be sent.

    `row` is its place in the checkpoint, `attempts` the calls that were made for it (throttled ones not
    counted), `in_doubt` whether an earlier call may have deleted it unseen.
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

    `expires_at` is in seconds since the epoch, None where it is not known. The secret and the token show
    in no repr.
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
    """What came back for one call, the service's words unchanged.

    `status` is the HTTP status, 0 where no answer came. `code`, `message` and `request_id` are empty where
    the answer has none. `readable` is False where no answer came or its body is not the service's JSON.
    `reached` is False where the request certainly never left (no connection could be made).
    `retry_after_ms` is the service's own wish in milliseconds, 0 where it has none; `date` is the Date
    header, empty where there is none.
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
"""This very reply is for a call that was not sent because its permit was stale: it says nothing of service and flow."""


class ReplyClass(StrEnum):
    """What a reply means for the run and for the flow."""

    DELETED = "deleted"  # the flow is gone, by this call
    ABSENT = "absent"  # the flow is not there
    REFUSED = "refused"  # this flow's final no
    THROTTLED = "throttled"  # the account's pace is too high; not the flow's fault
    TRANSIENT = "transient"  # try this flow again, with back-off
    RENEW = "renew"  # the credentials are stale: fetch them again, once
    CLOCK = "clock"  # this machine's clock is off: correct it, then try again
    FATAL = "fatal"  # every flow would get the same: stop


class Classification(NamedTuple):
    """The reading of one reply. `doubt`: after this reply nobody knows whether the flow still exists."""

    reply_class: ReplyClass
    doubt: bool = False


class Outcome(NamedTuple):
    """A flow's final state, with the reply that decided it. `finished_at_ms` is since the epoch."""

    claim: Claim
    state: State
    inferred: bool
    in_doubt: bool
    attempts: int
    reply: Reply
    finished_at_ms: int


class Requeue(NamedTuple):
    """A claimed flow that goes back to pending, with what its calls so far have taught."""

    row: int
    attempts: int
    in_doubt: bool


class Reopen(NamedTuple):
    """Final outcomes of this run that do not count after all: these rows are pending again."""

    rows: tuple[int, ...]


Change = Outcome | Requeue | Reopen
"""What a reply changes in the checkpoint."""


class Record(NamedTuple):
    """What the checkpoint holds of one flow or invalid line: the shape of `results`' objects.

    None stands for what is not known or does not apply; `finished_at` is UTC, ISO 8601 with milliseconds.
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


class Ending(StrEnum):
    """Why a run ended."""

    FINISHED = "finished"  # nothing is left to do
    LIMIT = "limit"  # --limit flows were dealt with
    INTERRUPTED = "interrupted"  # a signal, or the caller's wish
    STOPPED = "stopped"  # something that concerns every flow; `error` says what
