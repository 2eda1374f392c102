"""Which call meets which trouble, by number or by chance. Pure and seeded: it decides, the server acts."""

import math
import random
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Self

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.sandbox.assets import FLOW_JSON
from flowreaper.sandbox.operations import DELETE_FLOW, OPERATIONS


class Trouble(StrEnum):
    """What can go wrong with a call. `meaning` says it in words; `acts`: the call does its work before."""

    meaning: str

    RESET_BEFORE = "reset-before", "the connection is reset"
    RESET_AFTER = "reset-after", "the flow is deleted, then the connection is reset"
    HANG_BEFORE = "hang-before", "no answer"
    HANG_AFTER = "hang-after", "the flow is deleted, but no answer comes"
    ERROR_500 = "error-500", "HTTP 500 InternalError"
    HTML_503 = "html-503", "HTTP 503 with a proxy's HTML page"
    CUT_BODY = "cut-body", "the flow is deleted; the answer is cut in half"
    GARBAGE = "garbage", "the flow is deleted; HTTP 200 with meaningless bytes"
    EMPTY = "empty", "the flow is deleted; HTTP 200 without a body"
    OK_WITH_ERROR_CODE = "ok-with-error-code", "HTTP 200 whose Code is an error (Flow.Locked)"
    THROTTLE = "throttle", "System.LimitControl although the quota has room"
    THROTTLE_RETRY_AFTER = "throttle-retry-after", "the same, with x-acs-retry-after: 300"
    DRIP = "drip", "the flow is deleted; the answer comes byte by byte"
    REDIRECT = "redirect", "HTTP 307 to another path of the sandbox"
    HUGE = "huge", "the flow is deleted; the answer is 10 MB long"
    DENY = "deny", "Ram.PermissionDeny"
    EXPIRED_TOKEN = "expired-token", "InvalidSecurityToken.Expired"
    ANSWER = "answer", "the error CODE, as in answer:Product.Unsubscript:0.1"

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """Make a member that is its name on the command line."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

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
_NAMES = (*OPERATIONS, FLOW_JSON)
_FORMS = "KIND:PROBABILITY, KIND:#NUMBER, KIND:#FIRST-LAST or KIND:#FIRST-"
_RULE = re.compile(
    r"(?P<kind>[^:]*)(?::(?P<code>[A-Za-z0-9._-]{1,100}))?"
    r":(?:#(?P<first>\d{1,15})(?P<dash>-(?P<last>\d{1,15})?)?|(?P<chance>\d*\.?\d+))",
    re.ASCII,
)


class Rule(NamedTuple):
    """`trouble` for the calls `first` to `last`, counted from 1; or, where `first` is 0, with `chance`.

    `operation` is whose calls are meant and counted: a name of ``operations.OPERATIONS``, or ``FlowJSON``. `code`
    is what ``Trouble.ANSWER`` answers with, empty for any other trouble.
    """

    trouble: Trouble
    first: int = 0
    last: float = 0
    chance: float = 0.0
    code: str = ""
    operation: str = DELETE_FLOW

    @property
    def name(self) -> str:
        """The trouble as a script names it: ``deny``, ``answer:Product.Unsubscript``."""
        return f"{self.trouble}:{self.code}" if self.code else str(self.trouble)


class Script:
    """Decides call by call of one operation; the same seed and numbers give the same decisions.

    A rule by number comes before chance, an earlier rule before a later one.
    """

    def __init__(self, rules: Sequence[Rule], seed: int | str) -> None:
        self._numbered = [rule for rule in rules if rule.first]
        self._chances = [rule for rule in rules if not rule.first]
        self._random = random.Random(seed)  # noqa: S311 -- to be repeated, not to be secret

    def decide(self, number: int) -> Rule | None:
        """Return the rule that makes trouble for call `number`; ask once for each call, in order."""
        drawn = self._random.random() if self._chances else 0.0
        for rule in self._numbered:
            if rule.first <= number <= rule.last:
                return rule
        # One draw laid along the chances, so that each keeps its own probability beside the others.
        for rule in self._chances:
            if drawn < rule.chance:
                return rule
            drawn -= rule.chance
        return None


def parse_script(text: str) -> tuple[Rule, ...]:
    """Read rules joined by commas: ``reset-after:0.05,html-503:#10-20,deny:#40,throttle:#50-``.

    A number between 0 and 1 is a probability, ``#`` a call's number, a range or an open range. ``answer``
    takes a code: ``answer:Product.Unsubscript:#7``. A rule is about DeleteFlow, or about the operation that it begins
    with: ``GetFlow/throttle:0.1``. An empty text is no trouble. Raises ConfigurationError for everything else.
    """
    rules = tuple(_rule(part.strip()) for part in text.split(",") if part.strip())
    for name in {rule.operation for rule in rules}:
        if (total := sum(rule.chance for rule in rules if rule.operation == name)) > 1 + 1e-9:
            of = "" if name == DELETE_FLOW else f" for {name}"
            raise ConfigurationError(
                f"the probabilities of the trouble script{of} add up to {total:g}: keep them at 1 or less"
            )
    return rules


def _rule(text: str) -> Rule:
    operation, slash, rest = text.partition("/")
    if not slash:
        return _rule_without_operation(text)
    if operation not in _NAMES:
        raise ConfigurationError(
            f"unknown operation '{printable(operation)}' in trouble '{printable(text)}'; choose from "
            f"{', '.join(_NAMES)}"
        )
    return _rule_without_operation(rest)._replace(operation=operation)


def _rule_without_operation(text: str) -> Rule:
    kind = text.partition(":")[0]
    try:
        trouble = Trouble(kind)
    except ValueError:
        raise ConfigurationError(
            f"unknown trouble '{printable(kind)}'; choose from {', '.join(Trouble)}"
        ) from None
    parts = _RULE.fullmatch(text)
    takes_code = trouble is Trouble.ANSWER
    if parts is None or bool(parts["code"]) != takes_code:
        raise ConfigurationError(_how_to_write(text, takes_code=takes_code))
    code = parts["code"] or ""
    if parts["chance"] is not None:
        chance = float(parts["chance"])
        if not 0 < chance <= 1:
            raise ConfigurationError(f"'{printable(text)}': a probability is above 0 and at most 1")
        return Rule(trouble, chance=chance, code=code)
    first = int(parts["first"])
    last = int(parts["last"]) if parts["last"] else math.inf if parts["dash"] else first
    if not 1 <= first <= last:
        raise ConfigurationError(f"'{printable(text)}': calls are counted from 1, and a range goes upwards")
    return Rule(trouble, first=first, last=last, code=code)


def _how_to_write(text: str, *, takes_code: bool) -> str:
    if takes_code:
        forms = _FORMS.replace("KIND", f"{Trouble.ANSWER}:CODE")
        return (
            f"cannot read trouble '{printable(text)}'; write {forms}, for example "
            "answer:Product.Unsubscript:0.05 (a CODE holds letters, digits, '.', '_' and '-')"
        )
    return f"cannot read trouble '{printable(text)}'; write {_FORMS}, for example reset-after:0.05 or html-503:#10-20"
