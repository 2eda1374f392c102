"""Which of the listed flows are wanted, and which rule decided: select rules, and keep rules that beat them. Pure.

A flow is selected if it matches each kind of select rule that there is, with any rule of that kind. A keep rule that
matches it keeps it, whatever the select rules say. The order of the rules changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import NamedTuple

from flowreaper.client.actions import ListedFlow
from flowreaper.client.templates import TemplateUse
from flowreaper.model import Flow


class Verdict(StrEnum):
    """What the rules make of a flow."""

    SELECTED = "selected"
    KEPT = "kept"  # by a keep rule
    PASSED_OVER = "passed over"  # a kind of select rule has none that matches


class Decision(NamedTuple):
    """A verdict, the kind of rule that it comes from, and that rule with its value, or what contradicts it.

    `kind` is name, category, status, unused, keep, keep-name, or empty where there is no rule.
    """

    verdict: Verdict
    kind: str
    rule: str

    def also(self, other: "Decision") -> "Decision":
        """Return what this decision and one about other rules come to: the first that does not select, else both."""
        if self.verdict is not Verdict.SELECTED:
            return self
        if other.verdict is not Verdict.SELECTED or not self.kind:
            return other
        if not other.kind:
            return self
        return Decision(Verdict.SELECTED, f"{self.kind}, {other.kind}", f"{self.rule}, {other.rule}")


WANTED = Decision(Verdict.SELECTED, "", "no rule")
"""The decision where no rule says anything."""


@dataclass(frozen=True, slots=True)
class KeepList:
    """The flows that a keep rule names: with their space, or by an id that counts in every space."""

    flows: Collection[Flow] = frozenset()

    def __contains__(self, flow: Flow) -> bool:
        return flow in self.flows or Flow(flow.flow_id) in self.flows


@dataclass(frozen=True, slots=True)
class FlowRules:
    """The rules of one listing.

    Select rules: `names` are patterns (* ? [ab], upper and lower case differ), `categories` and `statuses` are words in
    any case, `unused` asks for flows that no template names. Keep rules: `keep` and `keep_names`.
    """

    names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    unused: bool = False
    keep: KeepList = field(default_factory=KeepList)
    keep_names: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is any rule."""
        return bool(
            self.names
            or self.categories
            or self.statuses
            or self.unused
            or self.keep.flows
            or self.keep_names
        )

    def by_listing(self, listed: ListedFlow) -> Decision:
        """Decide by what a listing says of a flow; the keep rules come first."""
        if listed.flow in self.keep:
            return Decision(Verdict.KEPT, "keep", f"keep {listed.flow.flow_id}")
        if pattern := _matching(listed.name, self.keep_names):
            return Decision(Verdict.KEPT, "keep-name", f"keep-name {pattern}")
        return self._by_name(listed).also(self._by_category(listed))

    def by_use(self, template: TemplateUse | None) -> Decision:
        """Decide by the template that names a flow, None: there is none."""
        if not self.unused:
            return WANTED
        if template:
            return Decision(Verdict.PASSED_OVER, "unused", f"used by the template {template.code}")
        return Decision(Verdict.SELECTED, "unused", "unused")

    def by_status(self, status: str) -> Decision:
        """Decide by a flow's status; an empty one is not known."""
        if not self.statuses:
            return WANTED
        word = status.upper()
        if word and word in {wanted.upper() for wanted in self.statuses}:
            return Decision(Verdict.SELECTED, "status", f"status {word}")
        return Decision(Verdict.PASSED_OVER, "status", f"status {word or 'unknown'}")

    def _by_name(self, listed: ListedFlow) -> Decision:
        if not self.names:
            return WANTED
        if pattern := _matching(listed.name, self.names):
            return Decision(Verdict.SELECTED, "name", f"name {pattern}")
        return Decision(Verdict.PASSED_OVER, "name", "no name matches")

    def _by_category(self, listed: ListedFlow) -> Decision:
        if not self.categories:
            return WANTED
        wanted = {category.upper() for category in self.categories}
        if found := sorted(category for category in listed.categories if category.upper() in wanted):
            return Decision(Verdict.SELECTED, "category", f"category {found[0]}")
        return Decision(Verdict.PASSED_OVER, "category", "no category matches")


def _matching(name: str, patterns: tuple[str, ...]) -> str:
    """Return the first, by the alphabet, of the patterns that match a name; empty if none does."""
    return min((pattern for pattern in patterns if fnmatchcase(name, pattern)), default="")
