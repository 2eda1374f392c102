"""Listing a space's flows, and the account's spaces."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

import pytest

from flowreaper.client.actions import ListedFlow, Space
from flowreaper.client.listing import list_flows, list_spaces
from flowreaper.client.operations import Refusal
from flowreaper.errors import Advice, ListingError
from flowreaper.model import Flow, Reply

REFUSED = Refusal(
    Reply(400, "Unknown.ResourceOwnerId", "The resource does not belong to the current user.", "R-9")
)


T = TypeVar("T")


class Account:
    """An account with flows by space, and instances."""

    def __init__(
        self, flows: dict[str, Sequence[ListedFlow] | Refusal], spaces: Sequence[Space] | Refusal = ()
    ) -> None:
        self.flows = flows
        self.spaces = spaces
        self.names: list[str] = []

    async def list_flow(
        self, space: str, *, index: int, size: int, name: str = ""
    ) -> Sequence[ListedFlow] | Refusal:
        self.names.append(name)
        return page_of(self.flows[space], index, size)

    async def list_instance(self, *, index: int, size: int) -> Sequence[Space] | Refusal:
        return page_of(self.spaces, index, size)


def page_of(items: Sequence[T] | Refusal, index: int, size: int) -> Sequence[T] | Refusal:
    return items if isinstance(items, Refusal) else items[(index - 1) * size : index * size]


def flow(number: int, space: str = "", name: str = "promo") -> ListedFlow:
    return ListedFlow(Flow(str(number), space), name, ("OTHER",))


def flows_of(account: Account, space: str, *, name: str = "") -> list[ListedFlow]:
    async def all_of_them() -> list[ListedFlow]:
        return [listed async for listed in list_flows(account, space, name=name)]

    return asyncio.run(all_of_them())


def test_all_flows_of_a_space_are_listed_and_no_others() -> None:
    mine = [flow(number, "cams-a") for number in range(250)]
    account = Account({"cams-a": mine, "": [flow(999)]})
    assert flows_of(account, "cams-a") == mine
    assert flows_of(account, "") == [flow(999)]


def test_a_flow_that_two_pages_show_under_two_names_comes_once() -> None:
    shown = [*(flow(number) for number in range(150)), flow(3, name="renamed")]
    assert [listed.flow.flow_id for listed in flows_of(Account({"": shown}), "")] == [
        str(n) for n in range(150)
    ]


def test_a_name_is_handed_to_the_service() -> None:
    account = Account({"": [flow(1)]})
    flows_of(account, "", name="promo")
    assert set(account.names) == {"promo"}


def test_an_unknown_space_is_an_error_that_names_it() -> None:
    with pytest.raises(ListingError, match="the flows of the space cams-typo cannot be read") as caught:
        flows_of(Account({"cams-typo": REFUSED}), "cams-typo")
    assert "Unknown.ResourceOwnerId (HTTP 400, request id R-9)" in str(caught.value)


def test_a_space_with_several_instances_is_listed_once() -> None:
    spaces = [Space(f"cams-{number % 130}", f"Shop {number}", "NORMAL") for number in range(260)]
    assert asyncio.run(list_spaces(Account({}, spaces))) == spaces[:130]


def test_instances_without_a_space_neither_count_nor_end_the_list() -> None:
    instances = [Space("", "sms", "NORMAL", f"i-{number}") for number in range(150)]
    space = Space("cams-a", "Shop", "NORMAL", "i-150")
    assert asyncio.run(list_spaces(Account({}, [*instances, space]))) == [space]


def test_spaces_that_cannot_be_listed_are_an_error_that_says_what_works_without() -> None:
    with pytest.raises(ListingError, match="the account's spaces cannot be read") as caught:
        asyncio.run(list_spaces(Account({}, REFUSED)))
    assert caught.value.advice is Advice.WITHOUT_SPACES
