"""A list that comes in pages is read to its end, each item once, whatever the service makes of page sizes."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.client.operations import Refusal
from flowreaper.client.paging import PAGE_SIZE, listing_error, read_pages
from flowreaper.errors import ListingError
from flowreaper.model import Reply


class Pages:
    """A service that lists `items`, at most `cap` on a page; `counts_asked`: an index counts pages of the asked size."""

    def __init__(self, items: Sequence[int], *, cap: int = PAGE_SIZE, counts_asked: bool = True) -> None:
        self.items = items
        self.cap = cap
        self.counts_asked = counts_asked
        self.asked: list[tuple[int, int]] = []

    async def fetch(self, index: int, size: int) -> list[int] | Refusal:
        self.asked.append((index, size))
        length = min(size, self.cap)
        start = (index - 1) * (size if self.counts_asked else length)
        return list(self.items[start : start + length])


def read(pages: Pages) -> list[int]:
    async def all_of_it() -> list[int]:
        found = []
        async for item in read_pages(
            pages.fetch, lambda item: item, refused=lambda reply: listing_error("it", "ListFlow", reply)
        ):
            found.append(item)
            assert len(pages.asked) < 1000, "it never ends"
        return found

    return asyncio.run(all_of_it())


@settings(deadline=None)
@given(count=st.integers(0, 450), cap=st.integers(20, 150), counts_asked=st.booleans())
def test_every_item_comes_once_and_in_order_whatever_the_service_caps(
    count: int, cap: int, *, counts_asked: bool
) -> None:
    assert read(Pages(range(count), cap=cap, counts_asked=counts_asked)) == list(range(count))


def test_an_empty_page_ends_the_list() -> None:
    pages = Pages(range(2 * PAGE_SIZE))
    assert len(read(pages)) == 2 * PAGE_SIZE
    assert pages.asked == [(1, 100), (2, 100), (3, 100)]


def test_a_short_first_page_is_followed_by_one_look_at_the_next() -> None:
    pages = Pages(range(7))
    assert len(read(pages)) == 7
    assert pages.asked == [(1, 100), (2, 7)]


def test_an_empty_list_is_asked_for_once() -> None:
    pages = Pages([])
    assert read(pages) == []
    assert pages.asked == [(1, 100)]


def test_a_service_that_caps_its_pages_is_read_in_pages_of_that_size() -> None:
    pages = Pages(range(120), cap=50)
    assert read(pages) == list(range(120))
    assert pages.asked == [(1, 100), (2, 50), (3, 50), (4, 50)]


def test_a_repeated_page_ends_the_list() -> None:
    class Repeating(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            self.asked.append((index, size))
            return await super().fetch(1, size)

    assert read(Repeating(range(100))) == list(range(100))
    assert read(Repeating(range(30))) == list(range(30))


@pytest.mark.parametrize("shown", [2, 20, 100, 150])
def test_a_service_that_does_not_heed_pages_is_an_error(shown: int) -> None:
    class Heedless(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            self.asked.append((index, size))
            return list(self.items[:shown])

    with pytest.raises(ListingError, match="the same page, whichever is asked for"):
        read(Heedless(range(500)))


@given(count=st.integers(0, 250), cap=st.integers(20, 150))
def test_a_service_that_repeats_its_last_page_is_read_to_the_end(count: int, cap: int) -> None:
    class Clamping(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            length = min(size, self.cap)
            return await super().fetch(min(index, max(1, -(-len(self.items) // length))), length)

    assert read(Clamping(range(count), cap=cap)) == list(range(count))


def test_pages_that_come_round_again_end_the_list() -> None:
    class Round(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            return await super().fetch(1 + (index - 1) % 2, size)

    assert read(Round(range(200))) == list(range(200))


def test_a_page_amid_the_list_that_leaves_an_item_out_does_not_end_it() -> None:
    class Incomplete(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            page = await super().fetch(index, size)
            assert not isinstance(page, Refusal)
            return [item for item in page if item not in (7, 150)]

    assert read(Incomplete(range(300))) == [item for item in range(300) if item not in (7, 150)]


def test_an_item_that_moves_to_the_next_page_meanwhile_comes_once() -> None:
    class Growing(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            page = await super().fetch(index, size)
            self.items = [-len(self.asked), *self.items]
            return page

    found = read(Growing(range(250)))
    assert sorted(set(found)) == sorted(found)
    assert set(range(250)) <= set(found)


def test_a_refused_page_ends_with_its_error_after_what_came_before() -> None:
    class Refusing(Pages):
        async def fetch(self, index: int, size: int) -> list[int] | Refusal:
            if index == 2:
                return Refusal(Reply(400, "Some\x1b[31mCode", "no \x1b[2J", "REQ-1"))
            return await super().fetch(index, size)

    with pytest.raises(ListingError) as caught:
        read(Refusing(range(300)))
    text = str(caught.value)
    assert "Some\\x1b[31mCode (HTTP 400, request id REQ-1)" in text
    assert "check the space" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "reply", [Reply(0, readable=False, message="reset"), Reply(503, "ServiceUnavailable", "busy")]
)
def test_a_service_that_failed_again_and_again_is_tried_later(reply: Reply) -> None:
    assert "begin again later" in str(listing_error("it", "ListFlow", reply))
