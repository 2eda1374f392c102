"""Looks for flows in the listings of their spaces, each made once, then at those that a listing still shows."""

import asyncio
from collections.abc import Callable, Sequence

from flowreaper.client.listing import Lists, list_flows
from flowreaper.errors import ListingError
from flowreaper.model import Flow, Reply
from flowreaper.safeguards.verify import NOT_LISTED, Gone, Look, Sighting, There, Unknown


class ListedLook:
    """A `Look` that lists the flow's space first, in bounded calls but with all its ids in memory (100 bytes each).

    What the listing does not show is gone, if the listing came to its end. What it shows is looked at with `look`,
    since a listing may lag; a flow that is expected to be there (no patience) is believed at once. Flows that are
    `in_doubt` are looked at in any case: a listing that skips one, as it may while others vanish from it, must not end
    a flow whose deletion nobody confirmed.
    """

    def __init__(
        self, operations: Lists, look: Look, in_doubt: Callable[[Flow], bool] = lambda _flow: False
    ) -> None:
        self._operations = operations
        self._look = look
        self._in_doubt = in_doubt
        self._listings: dict[str, frozenset[str] | ListingError] = {}
        self._listing = asyncio.Lock()

    async def __call__(self, flow: Flow, /, *, patience: Sequence[float]) -> Sighting:
        """Look for the flow; an error of its space's listing leaves it unknown."""
        if self._in_doubt(flow):
            return await self._look(flow, patience=patience)
        listed = await self._listed(flow.cust_space_id)
        if isinstance(listed, ListingError):
            return Unknown(Reply(0, message=str(listed)))
        if flow.flow_id not in listed:
            return Gone(NOT_LISTED)
        return await self._look(flow, patience=patience) if patience else There("")

    async def _listed(self, space: str) -> frozenset[str] | ListingError:
        async with self._listing:
            if space not in self._listings:
                try:
                    ids = [
                        listed.flow.flow_id
                        async for listed in list_flows(self._operations, space, is_proof=True)
                    ]
                    self._listings[space] = frozenset(ids)
                except ListingError as error:
                    self._listings[space] = error
            return self._listings[space]
