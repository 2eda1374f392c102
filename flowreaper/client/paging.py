"""Lists that come in pages: every item once, to the end."""

import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Sequence
from typing import TypeVar

from flowreaper.client.operations import INCOMPLETE, Refusal
from flowreaper.errors import Advice, ListingError
from flowreaper.escaping import printable
from flowreaper.model import Reply

PAGE_SIZE = 100

_PAGES_UNHEEDED = Reply(200, INCOMPLETE, "it shows the same page, whichever is asked for")
_SERVER_ERROR = 500

Item = TypeVar("Item")


async def read_pages(
    fetch: Callable[[int, int], Awaitable[Sequence[Item] | Refusal]],
    key: Callable[[Item], Hashable],
    *,
    refused: Callable[[Reply], ListingError],
) -> AsyncGenerator[Item, None]:
    """Yield each item of a list once, by its `key`. `fetch` asks for a page by its index, from 1, and its size.

    The list ends at a page without anything new: an empty one, or one that is repeated, if the service heeds the size
    of pages at all: one that does not, always shows its first page. A short page does not end it,
    because an answer may leave items out. A short first page may be the service's own cap on the size of a page, so
    all further pages have its size: the second one then begins where the first has ended.

    What is deleted while a list is read moves the rest to earlier pages, so that items may be missed: read to the end
    before anything is deleted.

    Raises:
        ListingError: a page was refused, or pages are not heeded; `refused` makes the error of the reply.
    """
    size, met = PAGE_SIZE, set[Hashable]()
    for index in itertools.count(1):
        page = await fetch(index, size)
        if isinstance(page, Refusal):
            raise refused(page.reply)
        fresh = {name: item for item in page if (name := key(item)) not in met}
        if not fresh:
            if len(page) >= size and not isinstance(least := await fetch(1, 1), Refusal) and len(least) > 1:
                raise refused(_PAGES_UNHEEDED)
            return
        met.update(fresh)
        for item in fresh.values():
            yield item
        if index == 1:
            size = min(size, len(page))


def listing_error(what: str, operation: str, reply: Reply, advice: Advice | None = None) -> ListingError:
    """Return the error of a refused `operation`; `what` completes "cannot be read", as in "the flows of space x"."""
    if not reply.readable or reply.status >= _SERVER_ERROR:
        remedy = "the service failed again and again: begin again later"
    elif reply.code == INCOMPLETE:
        remedy = "begin again later; where it stays so, this service answers otherwise than flowreaper knows"
    else:
        remedy = "check the space (CustSpaceId) and the access key's account"
    status = f"HTTP {reply.status}" if reply.status else "no answer"
    return ListingError(
        f"{what} cannot be read: the service refused {operation}: {printable(reply.code) or 'no code'} ({status},"
        f" request id {printable(reply.request_id) or 'unknown'}): {printable(reply.message)}\nWhat to do: {remedy}",
        advice,
    )


def named_space(space: str) -> str:
    """Return how a message speaks of a space."""
    return f"the space {printable(space)}" if space else "the account's own space"
