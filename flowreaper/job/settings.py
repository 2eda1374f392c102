"""What a job is to do, checked: from words to values. Pure.

Flags come before the environment, which comes before these defaults; click does that ranking, this module
says what the values mean.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flowreaper.client.codes import TREATABLE
from flowreaper.client.endpoint import Endpoint, sts_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.max_delete import MaxDelete
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import ReplyClass, Retry, State

DEFAULT_RATE = 5.0
"""Calls a second; the documented quota of an account."""

DEFAULT_TIMEOUT_S = 30.0
DEFAULT_MAX_ATTEMPTS = 10
DEFAULT_OUTAGE_LIMIT_S = 3600.0
DEFAULT_MAX_REFUSALS = 50
DEFAULT_MAX_ABSENT = 50

RETRYABLE = (State.REFUSED, State.GAVE_UP, State.ABSENT, State.KEPT)
"""The final states that a user may ask to take again."""

_ACCOUNT = re.compile(r"[0-9]{1,32}")
_MIN_RATE, _MAX_RATE = 0.001, 100_000
# No account comes near either; beyond them, times and counts grow until they cannot be reckoned with.
_MAX_CONCURRENCY = 10_000
_MAX_TIMEOUT_S = 3600
_MOST_BY_DEFAULT = 1000
_MAX_DURATION_S = 10 * 365 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a job runs.

    `sts_endpoint` is where STS is asked whose the access key is, None: where it is for `endpoint`; `expect_account` is
    the number of the account that the key must belong to, None: any. `max_delete` is how many flows the run may call:
    where it would call more, it calls none (None: any number; for a rehearsal a share counts as that). `rate` is in
    calls per second for the account, `read_rate` the same for each operation beside DeleteFlow; `concurrency` bounds
    the calls in progress; `timeout_s` bounds a whole call; `max_attempts` counts calls of one flow that met transient
    trouble; `outage_limit_s` ends a run that gets no answers; `max_refusals` one in which this many flows in a row are
    refused with the same code (0: never), `max_absent` one in which that many flows in a row do not exist and none was
    ever deleted (0: never); `limit` ends the run after this many flows, `max_duration_s` after this many seconds,
    `stop_at` at this moment, None: never; `retry` are final states to take again, `retry_codes` the codes of such flows
    (both given: both must hold); `treat` says what a code means, before the built-in table; `safeguards` are what
    surrounds the deletions; `plan` is the digest of the plan that the flows come from, empty: they come from elsewhere.
    """

    endpoint: Endpoint
    sandbox: bool = False
    rate: float = DEFAULT_RATE
    read_rate: float = DEFAULT_RATE
    concurrency: int = 50
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    outage_limit_s: float = DEFAULT_OUTAGE_LIMIT_S
    max_refusals: int = DEFAULT_MAX_REFUSALS
    max_absent: int = DEFAULT_MAX_ABSENT
    limit: int | None = None
    max_duration_s: float | None = None
    stop_at: datetime | None = None
    retry: tuple[State, ...] = ()
    retry_codes: tuple[str, ...] = ()
    treat: Mapping[str, ReplyClass] = field(default_factory=dict)
    safeguards: SafeguardSettings = field(default_factory=SafeguardSettings)
    sts_endpoint: Endpoint | None = None
    expect_account: str | None = None
    max_delete: MaxDelete | None = None
    plan: str = ""

    def __post_init__(self) -> None:
        rates = f"from {_MIN_RATE:g} to {_MAX_RATE:,} (calls per second)"
        checks = (
            (_MIN_RATE <= self.rate <= _MAX_RATE, "rate", self.rate, rates),
            (_MIN_RATE <= self.read_rate <= _MAX_RATE, "read_rate", self.read_rate, rates),
            (
                1 <= self.concurrency <= _MAX_CONCURRENCY,
                "concurrency",
                self.concurrency,
                f"from 1 to {_MAX_CONCURRENCY:,} (calls at once)",
            ),
            (
                0 < self.timeout_s <= _MAX_TIMEOUT_S,
                "timeout_s",
                self.timeout_s,
                f"more than 0 and at most {_MAX_TIMEOUT_S:,} (seconds)",
            ),
            (self.max_attempts >= 1, "max_attempts", self.max_attempts, "1 or more"),
            (self.outage_limit_s >= 0, "outage_limit_s", self.outage_limit_s, "0 or more (seconds)"),
            (self.max_refusals >= 0, "max_refusals", self.max_refusals, "0 or more (flows)"),
            (self.max_absent >= 0, "max_absent", self.max_absent, "0 or more (flows)"),
            (self.limit is None or self.limit >= 1, "limit", self.limit, "1 or more (flows)"),
            (
                self.max_duration_s is None or 0 < self.max_duration_s <= _MAX_DURATION_S,
                "max_duration_s",
                self.max_duration_s,
                f"more than 0 and at most {_MAX_DURATION_S:,} (seconds)",
            ),
            (
                self.stop_at is None or self.stop_at.tzinfo is not None,
                "stop_at",
                self.stop_at,
                "a time with its zone",
            ),
        )
        if self.expect_account is not None and not _ACCOUNT.fullmatch(self.expect_account):
            raise ConfigurationError(
                f"expect_account must be an account's number, digits alone, not {printable(self.expect_account) or 'empty'}",
                setting="expect_account",
            )
        for holds, name, value, allowed in checks:
            if not holds:
                raise ConfigurationError(f"{name} must be {allowed}, not {value}", setting=name)
        for state in self.retry:
            if state not in RETRYABLE:
                raise ConfigurationError(
                    f"flows that are {state} are never called again: retry takes {_list(RETRYABLE)}"
                )

    @property
    def sts(self) -> Endpoint:
        """Where STS is asked whose the access key is."""
        return self.sts_endpoint or sts_endpoint(self.endpoint)

    @property
    def taken_again(self) -> Retry:
        """Which finished flows the run takes again."""
        states = self.retry or (RETRYABLE if self.retry_codes else ())
        return Retry(states, self.retry_codes)

    def stops_at(self, begins_at: datetime) -> datetime | None:
        """Return when a run that begins at this moment, which has its zone, stops at the latest; None: never."""
        moments = []
        if self.stop_at is not None:
            moments.append(self.stop_at)
        if self.max_duration_s is not None:
            moments.append(begins_at + timedelta(seconds=self.max_duration_s))
        return min(moments, default=None)


def default_concurrency(rate: float) -> int:
    """Return how many calls at once hold `rate` even if every answer takes 10 s; at most 1,000."""
    # Rounded last: the rate is not checked yet, and may be infinite or no number.
    return math.ceil(min(_MOST_BY_DEFAULT, max(10, rate * 10)))


def parse_treat(words: tuple[str, ...]) -> dict[str, ReplyClass]:
    """Read what codes mean, each ``CODE=CLASS``.

    Raises:
        ConfigurationError: a word has another form, or a class that a user may not give.
    """
    meanings = {}
    for word in words:
        code, equals, name = word.rpartition("=")
        kind = next((k for k in TREATABLE if k == name.strip().lower()), None)
        if not (equals and code.strip() and kind):
            raise ConfigurationError(
                f"treat {printable(word)}: write CODE=CLASS, where CLASS is {_list(TREATABLE)}",
                setting="treat",
            )
        if code.strip() == "OK":
            raise ConfigurationError("treat OK=...: the code OK always means deleted", setting="treat")
        meanings[code.strip()] = kind
    return meanings


def _list(names: tuple[State, ...] | tuple[ReplyClass, ...]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]
