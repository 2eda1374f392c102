"""Which flows a space has, and which spaces the account has."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from flowreaper.client.actions import ListedFlow, Space
from flowreaper.client.operations import INCOMPLETE, Refusal
from flowreaper.client.paging import listing_error, named_space, read_pages
from flowreaper.errors import Advice, ListingError
from flowreaper.model import Reply

_NO_LIST = Reply(200, INCOMPLETE, "the answer holds no list (Data)")


class Lists(Protocol):
    """Asks for pages; `client.operations.Operations` does."""

    async def list_flow(
        self, space: str, *, index: int, size: int, name: str = ""
    ) -> Sequence[ListedFlow] | Refusal | None:
        """Return a page of a space's flows; None where the answer holds no list."""
        ...

    async def list_instance(self, *, index: int, size: int) -> Sequence[Space] | Refusal:
        """Return a page of the account's instances."""
        ...


def list_flows(
    operations: Lists, space: str, *, name: str = "", is_proof: bool = False
) -> AsyncGenerator[ListedFlow, None]:
    """Yield each flow of a space once; `space` is empty for the account's own.

    `name` filters by the service's own rule, empty: all. `is_proof`: what is not listed is to count as gone, so that a
    first page without a list is an error; else it is taken for an empty one. The order is the service's. Read it to the
    end before any of these flows is deleted: else flows may be missed.

    Raises:
        ListingError: the service refused a page; it has no such space, say.
        RunError: trouble that concerns every call.
    """

    async def fetch(index: int, size: int) -> Sequence[ListedFlow] | Refusal:
        page = await operations.list_flow(space, index=index, size=size, name=name)
        if page is None:
            return Refusal(_NO_LIST) if is_proof and index == 1 else []
        return page

    def refused(reply: Reply) -> ListingError:
        return listing_error(f"the flows of {named_space(space)}", "ListFlow", reply)

    return read_pages(fetch, lambda listed: listed.flow.flow_id, refused=refused)


async def list_spaces(operations: Lists) -> list[Space]:
    """Return the spaces of the account's instances, each once, in the order of the service; not the account's own.

    Raises:
        ListingError: the service refused a page.
        RunError: trouble that concerns every call.
    """

    def refused(reply: Reply) -> ListingError:
        return listing_error("the account's spaces", "ListInstance", reply, Advice.WITHOUT_SPACES)

    async def fetch(index: int, size: int) -> Sequence[Space] | Refusal:
        return await operations.list_instance(index=index, size=size)

    found: dict[str, Space] = {}
    async for space in read_pages(fetch, lambda space: space, refused=refused):
        if space.cust_space_id:
            found.setdefault(space.cust_space_id, space)
    return list(found.values())
