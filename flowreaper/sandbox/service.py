"""The flows behind the sandbox and what DeleteFlow does to them. Pure state: no clock, no network.

An entry of `known`, `published` and `foreign` is a FlowId, which then counts in every space, or
``CustSpaceId,FlowId``.
"""

from collections.abc import Set as AbstractSet

from flowreaper.model import Flow
from flowreaper.sandbox.answer import FOREIGN, MISSING_FLOW_ID, NOT_EXIST, OK, PUBLISHED, Answer


class Service:
    """The flows of one account.

    `known` is None for "every id that was not deleted yet is a draft"; else nothing beyond it exists.
    """

    def __init__(
        self,
        *,
        known: AbstractSet[str] | None = None,
        published: AbstractSet[str] = frozenset(),
        foreign: AbstractSet[str] = frozenset(),
    ) -> None:
        self.deleted: set[Flow] = set()
        self._known = known
        self._published = published
        self._foreign = foreign

    def delete(self, flow: Flow) -> Answer:
        """Delete one flow if it is a draft, and answer as DeleteFlow does."""
        if not flow.flow_id:
            return MISSING_FLOW_ID
        if flow in self.deleted:
            return NOT_EXIST
        if _holds(self._foreign, flow):
            return FOREIGN
        if _holds(self._published, flow):
            return PUBLISHED
        if self._known is not None and not _holds(self._known, flow):
            return NOT_EXIST
        self.deleted.add(flow)
        return OK


def _holds(entries: AbstractSet[str], flow: Flow) -> bool:
    return bool(entries) and (flow.flow_id in entries or f"{flow.cust_space_id},{flow.flow_id}" in entries)
