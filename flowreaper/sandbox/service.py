"""The flows of one account, and what the operations do to them. Pure state: no network, and the time is an argument.

An entry of `known`, `published` and `foreign` is a FlowId, which then counts in every space, or
``CustSpaceId,FlowId``. A flow that was seeded, created or changed is stored; of any other, only what these sets say is
known.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import count

from flowreaper.model import Flow
from flowreaper.sandbox.answer import FOREIGN, OK, Answer
from flowreaper.sandbox.flow import FlowStatus, StoredFlow, made_up
from flowreaper.sandbox.undocumented import (
    IS_DEPRECATED,
    MISSING_FLOW_ID,
    NO_DRAFT,
    NOT_EXIST,
    NOT_PUBLISHED,
    PUBLISHED,
)

_FIRST_ID = 700_000_000_000_001  # 15 digits, as the shortest of the service's


class Service:
    """The flows of one account.

    `known` is None for "every id that was not deleted yet is a draft"; else nothing beyond it and `seeded` exists.
    ListFlow notices what was created and deleted `list_lag_s` seconds late.
    """

    def __init__(
        self,
        *,
        known: AbstractSet[str] | None = None,
        published: AbstractSet[str] = frozenset(),
        foreign: AbstractSet[str] = frozenset(),
        seeded: Iterable[StoredFlow] = (),
        list_lag_s: float = 0.0,
    ) -> None:
        self.deleted: set[Flow] = set()
        self.stored: dict[Flow, StoredFlow] = {stored.flow: stored for stored in seeded}
        self._known = known
        self._published = published
        self._foreign = foreign
        self._list_lag_s = list_lag_s
        self._deleted_at_s: dict[Flow, float] = {}
        self._ids = count(_FIRST_ID)

    def delete(self, flow: Flow, at_s: float = 0.0) -> Answer:
        """Delete one flow if it is a draft, and answer as DeleteFlow does."""
        status = self._status(flow)
        if status is not FlowStatus.DRAFT:
            return status if isinstance(status, Answer) else PUBLISHED
        self.deleted.add(flow)
        if self._list_lag_s:
            self._deleted_at_s[flow] = at_s
        return OK

    def find(self, flow: Flow) -> StoredFlow | Answer:
        """Return a flow, or the answer of every operation that is asked about it."""
        status = self._status(flow)
        return status if isinstance(status, Answer) else self.stored.get(flow) or made_up(flow, status)

    def create(
        self, space: str, name: str, categories: tuple[str, ...], *, endpoint_uri: str = "", at_s: float = 0.0
    ) -> StoredFlow:
        """Make a draft without a JSON."""
        flow = next(
            flow
            for number in self._ids
            if (flow := Flow(str(number), space)) not in self.stored and flow not in self.deleted
        )
        stored = StoredFlow(flow, name, categories, endpoint_uri=endpoint_uri, created_at_s=at_s)
        self.stored[flow] = stored
        return stored

    def publish(self, flow: Flow) -> Answer:
        """Publish a draft."""
        return self._change(flow, (FlowStatus.DRAFT,), FlowStatus.PUBLISHED, NO_DRAFT)

    def deprecate(self, flow: Flow) -> Answer:
        """Deprecate a published flow, for good."""
        return self._change(flow, (FlowStatus.PUBLISHED,), FlowStatus.DEPRECATED, NOT_PUBLISHED)

    def edit(self, flow: Flow, json_from: str) -> Answer:
        """Give a flow another JSON; a published one is a draft after that."""
        editable = (FlowStatus.DRAFT, FlowStatus.PUBLISHED)
        answer = self._change(flow, editable, FlowStatus.DRAFT, IS_DEPRECATED)
        if answer is OK:
            self.stored[flow] = self.stored[flow]._replace(json_from=json_from)
        return answer

    def listed(self, space: str, at_s: float) -> list[StoredFlow]:
        """Return the flows of a space that ListFlow shows, in the order in which they were made."""
        lag_s = self._list_lag_s
        flows = {flow: made_up(flow, FlowStatus.DRAFT) for flow in self._named_in(space)}
        flows.update((flow, stored) for flow, stored in self.stored.items() if flow.cust_space_id == space)
        return [
            stored
            for flow, stored in flows.items()
            if (flow not in self.deleted or at_s < self._deleted_at_s.get(flow, at_s) + lag_s)
            and not (lag_s and at_s < stored.created_at_s + lag_s)
        ]

    def spaces(self) -> list[str]:
        """Return the spaces that something is known of, the account's own first."""
        entries = (self._known or frozenset()) | self._published
        named = {entry.partition(",")[0] for entry in entries if "," in entry}
        return sorted(named.union((flow.cust_space_id for flow in self.stored), ("",)))

    def _status(self, flow: Flow) -> FlowStatus | Answer:
        if not flow.flow_id:
            return MISSING_FLOW_ID
        if flow in self.deleted:
            return NOT_EXIST
        if _holds(self._foreign, flow):
            return FOREIGN
        stored = self.stored.get(flow)
        if stored is not None:
            return stored.status
        if _holds(self._published, flow):
            return FlowStatus.PUBLISHED
        exists = self._known is None or _holds(self._known, flow)
        return FlowStatus.DRAFT if exists else NOT_EXIST

    def _change(
        self, flow: Flow, allowed: tuple[FlowStatus, ...], status: FlowStatus, refusal: Answer
    ) -> Answer:
        found = self.find(flow)
        if isinstance(found, Answer):
            return found
        if found.status not in allowed:
            return refusal
        self.stored[flow] = found._replace(status=status)
        return OK

    def _named_in(self, space: str) -> list[Flow]:
        """Return the flows of a space that `known` and `published` name."""
        entries = sorted((self._known or frozenset()) | self._published)
        named = (entry.rpartition(",") for entry in entries)
        flows = (Flow(flow_id, space) for of, comma, flow_id in named if not comma or of == space)
        return [flow for flow in flows if not _holds(self._foreign, flow)]


def _holds(entries: AbstractSet[str], flow: Flow) -> bool:
    return bool(entries) and (flow.flow_id in entries or f"{flow.cust_space_id},{flow.flow_id}" in entries)
