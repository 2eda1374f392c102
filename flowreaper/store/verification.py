"""A verification of a job: which flows it checks, what each check says, and what a checkpoint keeps of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from flowreaper.errors import ConfigurationError, RunError
from flowreaper.model import Flow, Reply, State


class VerificationMethod(StrEnum):
    """How a verification finds out whether flows are there."""

    LOOK = "look"  # at each flow
    LISTING = "listing"  # list each space, look at what it shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a verification checks and how: all flows or `sample` of them, which `seed` chooses; by which method."""

    method: VerificationMethod = VerificationMethod.LOOK
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.sample is not None and self.sample < 1:
            raise ConfigurationError(f"sample must be 1 or more (flows), not {self.sample}", setting="sample")


class Scope(NamedTuple):
    """How many flows a verification is about.

    `known` are recorded as deleted or absent, `wanted` of them are to be checked, and `total` flows in all: with those
    in doubt and, unless it is a sample, with those that were kept.
    """

    known: int
    wanted: int
    total: int


class CheckResult(StrEnum):
    """What checking one flow says of what is recorded of it."""

    GONE = "gone"  # deleted or absent, and gone
    REMAINS = "remains"  # deleted with the service's word, or absent, and there all the same
    REOPENED = "reopened"  # deleted by inference alone, and there: pending again
    UNKNOWN = "unknown"  # deleted or absent, and could not be looked at
    SETTLED_DELETED = "settled_deleted"  # was in doubt, is gone: deleted, by inference
    SETTLED_PENDING = "settled_pending"  # was in doubt, is there: pending
    SETTLED_REFUSED = "settled_refused"  # refused and in doubt, is there: refused, without doubt
    STILL_IN_DOUBT = "still_in_doubt"  # was in doubt, and could not be looked at
    KEPT = "kept"  # left alone by a safeguard, and there
    KEPT_GONE = "kept_gone"  # left alone by a safeguard, and gone: something else deleted it
    KEPT_UNKNOWN = "kept_unknown"  # left alone by a safeguard, and could not be looked at


RECORDED_GONE = (CheckResult.GONE, CheckResult.REMAINS, CheckResult.REOPENED, CheckResult.UNKNOWN)
"""What a check can say of a flow that is recorded as deleted or absent."""

STILL_THERE = (
    CheckResult.REMAINS,
    CheckResult.REOPENED,
    CheckResult.SETTLED_PENDING,
    CheckResult.SETTLED_REFUSED,
)
"""What a check says of a flow that should be gone, or may have been, and is there."""

UNCLEAR = (CheckResult.UNKNOWN, CheckResult.STILL_IN_DOUBT, CheckResult.KEPT_UNKNOWN)
"""What a check says of a flow that could not be looked at."""


class Suspect(NamedTuple):
    """A flow to check, as the checkpoint has it; `row` is its number there.

    It is final as deleted, absent or kept, or it is in doubt.
    """

    row: int
    flow: Flow
    state: State
    inferred: bool

    @property
    def is_in_doubt(self) -> bool:
        """Whether the flow has no outcome that says whether it is there."""
        return self.state not in (State.DELETED, State.ABSENT, State.KEPT)


class Checked(NamedTuple):
    """A flow that was checked; `reply` is the one that decided, or stands for it."""

    suspect: Suspect
    check: CheckResult
    reply: Reply = Reply(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What one verification found.

    `at_ms` is when it ended, in milliseconds since the epoch; `complete` says that it reached its end. `known` is how
    many flows were recorded as deleted or absent when it began, `wanted` how many of these it was to check: fewer where
    it is a sample. `counts` are the flows that it checked.
    """

    at_ms: int
    method: VerificationMethod
    complete: bool
    known: int
    wanted: int
    counts: Mapping[CheckResult, int] = field(default_factory=dict)

    @property
    def is_sample(self) -> bool:
        """Whether it was to check some of the flows only."""
        return self.wanted < self.known

    @property
    def is_whole(self) -> bool:
        """Whether it was to check every flow, and reached its end."""
        return self.complete and not self.is_sample

    def count(self, *checks: CheckResult) -> int:
        """Return how many flows any of these was said of."""
        return sum(self.counts.get(check, 0) for check in checks)

    @property
    def checked(self) -> int:
        """How many flows that are recorded as deleted or absent were checked."""
        return self.count(*RECORDED_GONE)

    @property
    def looked_at(self) -> int:
        """How many of these could be looked at, or sought in a listing."""
        return self.checked - self.count(CheckResult.UNKNOWN)

    @property
    def remain(self) -> int:
        """How many of these are there all the same."""
        return self.count(CheckResult.REMAINS, CheckResult.REOPENED)

    @property
    def proves(self) -> bool:
        """Whether it found nothing that should not be, and nothing was left open."""
        return self.complete and not self.count(*STILL_THERE, *UNCLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """The flows that are recorded as deleted or absent, and that the latest look at them found there.

    `sample` are the first few of them, in the order of reading.
    """

    flows: int = 0
    sample: tuple[Flow, ...] = ()


class Verified(NamedTuple):
    """How a verification ended; `error` is what stopped it."""

    verification: Verification
    error: RunError | None = None


def latest_verifications(verifications: Sequence[Verification]) -> tuple[Verification, ...]:
    """Return the last of these, and after it the last whole one, where that is an earlier one."""
    whole = [each for each in verifications if each.is_whole][-1:]
    latest = verifications[-1:]
    return tuple([*latest, *whole] if whole != list(latest) else latest)
