"""Looking for flows in listings: what is not shown is gone, what is shown is looked at, an error proves nothing."""

import asyncio
from collections.abc import Sequence

import pytest

from flowreaper.client.actions import ListedFlow, Space
from flowreaper.client.operations import Refusal
from flowreaper.errors import OutageError
from flowreaper.model import Flow, Reply
from flowreaper.safeguards.listed import ListedLook
from flowreaper.safeguards.verify import NO_PATIENCE, NOT_LISTED, PATIENCE_S, Gone, Sighting, There, Unknown
from tests.virtual import run_virtual

THERE = There("DRAFT")
REFUSED = Refusal(Reply(400, "Space.NotExist", "no such space", "R-1"))


class Account:
    """Lists flows by space; refuses, or fails, at the page that is named."""

    def __init__(self, *flows: Flow, refused_at: int = 0, fails_at: int = 0) -> None:
        self._flows = flows
        self._refused_at = refused_at
        self._fails_at = fails_at
        self.pages: list[tuple[str, int]] = []
        self.without_list = False

    async def list_flow(
        self, space: str, *, index: int, size: int, name: str = ""
    ) -> Sequence[ListedFlow] | Refusal | None:
        assert not name
        if self.without_list:
            return None
        await asyncio.sleep(1)
        self.pages.append((space, index))
        if index == self._fails_at:
            raise OutageError("nothing answers")
        if index == self._refused_at:
            return REFUSED
        listed = [ListedFlow(flow, "", ()) for flow in self._flows if flow.cust_space_id == space]
        return listed[(index - 1) * size : index * size]

    async def list_instance(self, *, index: int, size: int) -> Sequence[Space] | Refusal:
        raise AssertionError((index, size))


class Looks:
    """Says what a look finds, and notes at what."""

    def __init__(self, sighting: Sighting = THERE) -> None:
        self.at: list[tuple[Flow, Sequence[float]]] = []
        self._sighting = sighting

    async def __call__(self, flow: Flow, /, *, patience: Sequence[float]) -> Sighting:
        self.at.append((flow, patience))
        return self._sighting


def sightings(
    account: Account, looks: Looks, *flows: Flow, patience: Sequence[float] = PATIENCE_S
) -> list[Sighting]:
    async def look() -> list[Sighting]:
        listed = ListedLook(account, looks)
        return await asyncio.gather(*(listed(flow, patience=patience) for flow in flows))

    return run_virtual(look())


def test_what_a_complete_listing_does_not_show_is_gone_without_a_look() -> None:
    account, looks = Account(Flow("1")), Looks()
    assert sightings(account, looks, Flow("2"), Flow("1", "cams-x")) == [Gone(NOT_LISTED)] * 2
    assert looks.at == []


@pytest.mark.parametrize("found", [There("DRAFT"), Gone(Reply(404)), Unknown(Reply(400))])
def test_what_a_listing_shows_is_looked_at_before_that_is_believed(found: Sighting) -> None:
    looks = Looks(found)
    assert sightings(Account(Flow("1")), looks, Flow("1")) == [found]
    assert looks.at == [(Flow("1"), PATIENCE_S)]


def test_a_flow_in_doubt_is_looked_at_whether_or_not_a_listing_shows_it() -> None:
    account, looks = Account(), Looks()

    async def look() -> Sighting:
        return await ListedLook(account, looks, {Flow("1")}.__contains__)(Flow("1"), patience=PATIENCE_S)

    assert run_virtual(look()) == THERE
    assert looks.at == [(Flow("1"), PATIENCE_S)]


def test_a_flow_that_may_be_there_is_believed_to_be_where_a_listing_shows_it() -> None:
    looks = Looks()
    (found,) = sightings(Account(Flow("1")), looks, Flow("1"), patience=NO_PATIENCE)
    assert isinstance(found, There)
    assert looks.at == []


def test_each_space_is_listed_once_however_many_flows_are_looked_for() -> None:
    flows = [Flow(str(n), space) for n in range(150) for space in ("", "cams-x")]
    account = Account(*flows)
    assert sightings(account, Looks(), *flows) == [There("DRAFT")] * 300
    assert len(account.pages) == len(set(account.pages))
    assert {space for space, _ in account.pages} == {"", "cams-x"}


def test_a_listing_that_is_refused_on_its_way_proves_nothing_for_any_flow_of_its_space() -> None:
    shown = [Flow(str(n)) for n in range(250)]
    account, looks = Account(*shown, Flow("1", "cams-x"), refused_at=2), Looks()
    found = sightings(account, looks, Flow("1"), Flow("999"))
    assert all(isinstance(each, Unknown) for each in found)
    assert "Space.NotExist" in str(found[0])
    assert looks.at == []


def test_an_answer_without_a_list_proves_nothing() -> None:
    account = Account()
    account.without_list = True
    (found,) = sightings(account, Looks(), Flow("1"))
    assert isinstance(found, Unknown)
    assert "the answer holds no list" in str(found)


def test_trouble_with_every_call_is_no_answer_at_all() -> None:
    with pytest.raises(OutageError):
        sightings(Account(fails_at=1), Looks(), Flow("1"))
