"""Which call meets which trouble, by number or by chance. Pure and seeded: it decides, the server acts."""

import math
import random
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable


class Trouble(StrEnum):
    """What can go wrong with a call. `acts` says whether the call does its work before it goes wrong."""

    RESET_BEFORE = "reset-before"  # the connection is reset
    RESET_AFTER = "reset-after"  # the same, after the deletion
    HANG_BEFORE = "hang-before"  # no answer until the sandbox stops
    HANG_AFTER = "hang-after"  # the same, after the deletion
    ERROR_500 = "error-500"  # HTTP 500 InternalError
    HTML_503 = "html-503"  # a proxy's page
    CUT_BODY = "cut-body"  # half of the answer, then the end of the connection; after the deletion
    GARBAGE = "garbage"  # HTTP 200 with bytes that mean nothing; after the deletion
    EMPTY = "empty"  # HTTP 200 without a body; after the deletion
    OK_WITH_ERROR_CODE = "ok-with-error-code"  # HTTP 200 whose Code is a refusal
    THROTTLE = "throttle"  # System.LimitControl without a cause
    THROTTLE_RETRY_AFTER = "throttle-retry-after"  # the same, with x-acs-retry-after
    DRIP = "drip"  # the right answer, byte after byte; after the deletion
    REDIRECT = "redirect"  # HTTP 307 to another path of the sandbox
    HUGE = "huge"  # an answer of 10 MB; after the deletion
    DENY = "deny"  # Ram.PermissionDeny
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 -- the trouble's name, no secret

    @property
    def acts(self) -> bool:
        """Whether the call is counted by the quota and deletes its flow before the trouble."""
        return self in _ACTING


_ACTING = frozenset(
    {
        Trouble.RESET_AFTER,
        Trouble.HANG_AFTER,
        Trouble.CUT_BODY,
        Trouble.GARBAGE,
        Trouble.EMPTY,
        Trouble.DRIP,
        Trouble.HUGE,
    }
)
_RULE = re.compile(
    r"(?P<kind>[a-z0-9-]+):(?:#(?P<first>\d{1,15})(?P<dash>-(?P<last>\d{1,15})?)?|(?P<chance>\d*\.?\d+))",
    re.ASCII,
)


class Rule(NamedTuple):
    """`trouble` for the calls `first` to `last`, counted from 1; or, where `first` is 0, with `chance`."""

    trouble: Trouble
    first: int = 0
    last: float = 0
    chance: float = 0.0


class Script:
    """Decides call by call; the same seed and numbers give the same decisions.

    A rule by number comes before chance, an earlier rule before a later one.
    """

    def __init__(self, rules: Sequence[Rule], seed: int) -> None:
        self._numbered = [rule for rule in rules if rule.first]
        self._chances = [rule for rule in rules if not rule.first]
        self._random = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret

    def decide(self, number: int) -> Trouble | None:
        """Return the trouble of call `number`; ask once for each call, in order."""
        drawn = self._random.random() if self._chances else 0.0
        for rule in self._numbered:
            if rule.first <= number <= rule.last:
                return rule.trouble
        # One draw laid along the chances, so that each keeps its own probability beside the others.
        for rule in self._chances:
            if drawn < rule.chance:
                return rule.trouble
            drawn -= rule.chance
        return None


def parse_script(text: str) -> tuple[Rule, ...]:
    """Read rules joined by commas: ``reset-after:0.05,html-503:#10-20,deny:#40,throttle:#50-``.

    A number between 0 and 1 is a probability, ``#`` a call's number, a range or an open range. An empty text
    is no trouble. Raises ConfigurationError for everything else.
    """
    rules = tuple(_rule(part.strip()) for part in text.split(",") if part.strip())
    if (total := sum(rule.chance for rule in rules)) > 1 + 1e-9:
        raise ConfigurationError(
            f"the probabilities of the trouble script add up to {total:g}: keep them at 1 or less"
        )
    return rules


def _rule(text: str) -> Rule:
    parts = _RULE.fullmatch(text)
    if parts is None:
        raise ConfigurationError(
            f"'{printable(text)}' is no trouble: write KIND:PROBABILITY, KIND:#NUMBER, KIND:#FIRST-LAST or "
            "KIND:#FIRST-, for example reset-after:0.05 or html-503:#10-20"
        )
    try:
        trouble = Trouble(parts["kind"])
    except ValueError:
        raise ConfigurationError(
            f"no trouble is called '{parts['kind']}': choose one of {', '.join(Trouble)}"
        ) from None
    if parts["chance"] is not None:
        chance = float(parts["chance"])
        if not 0 < chance <= 1:
            raise ConfigurationError(f"'{printable(text)}': a probability is above 0 and at most 1")
        return Rule(trouble, chance=chance)
    first = int(parts["first"])
    last = int(parts["last"]) if parts["last"] else math.inf if parts["dash"] else first
    if not 1 <= first <= last:
        raise ConfigurationError(f"'{printable(text)}': calls are counted from 1, and a range goes upwards")
    return Rule(trouble, first=first, last=last)
