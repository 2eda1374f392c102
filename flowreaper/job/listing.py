"""Finds the flows that are wanted: lists spaces, and looks closer where the rules ask for it."""

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import NamedTuple, Protocol

from flowreaper.client.actions import FlowDetails, ListedFlow
from flowreaper.client.concurrent_calls import in_order
from flowreaper.client.listing import Lists, list_flows
from flowreaper.client.operations import Refusal
from flowreaper.client.templates import Templates, TemplateUse, used_flows
from flowreaper.job.flow_rules import Decision, FlowRules, Verdict
from flowreaper.job.held_flows import HeldFlows
from flowreaper.model import Flow

_UNKNOWN = "status"
_GONE = "gone"


class Reads(Lists, Templates, Protocol):
    """What is asked of the service; `client.operations.Operations` does it."""

    async def get_flow(self, flow: Flow) -> FlowDetails | Refusal:
        """Return a flow's status."""
        ...


class FoundFlow(NamedTuple):
    """A flow that was listed, and what the rules made of it. `status` is empty where nobody asked for it."""

    flow: Flow
    name: str
    categories: tuple[str, ...]
    status: str
    decision: Decision


class Tally:
    """How far a listing is.

    `seen` counts the listed flows, `decisions` what became of them by verdict and kind of rule, `unknown` those whose
    status could not be read. `empty` are the spaces that have no flow. `doing` says what is being done, `to_look_at`
    how many flows are still to be looked at.
    """

    def __init__(self) -> None:
        self.seen = self.unknown = self.to_look_at = 0
        self.decisions: Counter[tuple[Verdict, str]] = Counter()
        self.doing = ""
        self.empty: list[str] = []

    def count(self, verdict: Verdict) -> int:
        """Return how many flows had this verdict."""
        return sum(number for (had, _), number in self.decisions.items() if had is verdict)


class Listing:
    """Lists spaces by rules; `tally` follows it."""

    def __init__(self, operations: Reads, rules: FlowRules, tally: Tally) -> None:
        self._operations = operations
        self._rules = rules
        self._tally = tally

    async def read(self, spaces: Sequence[str]) -> AsyncGenerator[FoundFlow, None]:
        """Yield each flow of these spaces with the decision about it; the account's own space is an empty word.

        What is selected in a space comes when that space was listed to its end, and not before: its reader may
        delete it, which would move the rest of the list to other pages.

        Raises:
            ListingError: a list could not be read to its end.
            RunError: trouble that concerns every call.
        """
        for space in spaces:
            with closing(HeldFlows()) as held:
                async with aclosing(self._list(space, held)) as decided:
                    async for found in decided:
                        yield found
                async with aclosing(self._look_closer(space, held)) as decided:
                    async for found in decided:
                        yield found

    async def _list(self, space: str, held: HeldFlows) -> AsyncGenerator[FoundFlow, None]:
        """Yield what the list alone decides against; hold the rest."""
        self._tally.doing = "listing flows"
        seen_before = self._tally.seen
        async with aclosing(list_flows(self._operations, space)) as flows:
            async for listed in flows:
                self._tally.seen += 1
                decision = self._rules.by_listing(listed)
                if decision.verdict is Verdict.SELECTED:
                    held.add(listed)
                else:
                    yield self._counted(FoundFlow(*listed, "", decision))
        if self._tally.seen == seen_before:
            self._tally.empty.append(space)

    async def _look_closer(self, space: str, held: HeldFlows) -> AsyncGenerator[FoundFlow, None]:
        uses: Mapping[str, TemplateUse] = {}
        if held.count and self._rules.unused:
            self._tally.doing = "reading templates"
            uses = await used_flows(self._operations, space)
        self._tally.to_look_at = held.count
        self._tally.doing = "looking at flows"

        async def decide(listed: ListedFlow) -> FoundFlow:
            decision = self._rules.by_listing(listed).also(
                self._rules.by_use(uses.get(listed.flow.flow_id)),
            )
            status = ""
            if self._rules.statuses and decision.verdict is Verdict.SELECTED:
                status, by_status = await self._by_status(listed.flow)
                decision = decision.also(by_status)
            return FoundFlow(*listed, status, decision)

        async with aclosing(in_order(held, decide)) as decided:
            async for found in decided:
                self._tally.to_look_at -= 1
                yield self._counted(found)

    async def _by_status(self, flow: Flow) -> tuple[str, Decision]:
        answer = await self._operations.get_flow(flow)
        if isinstance(answer, Refusal):
            if answer.gone:
                return "", Decision(Verdict.PASSED_OVER, _GONE, "deleted since it was listed")
            self._tally.unknown += 1
            return "", Decision(Verdict.PASSED_OVER, _UNKNOWN, f"status unknown: {answer.reply.code}")
        if not answer.status:
            self._tally.unknown += 1
        return answer.status, self._rules.by_status(answer.status)

    def _counted(self, found: FoundFlow) -> FoundFlow:
        self._tally.decisions[found.decision.verdict, found.decision.kind] += 1
        return found
