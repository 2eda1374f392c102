"""Which flows templates open: read once a space, again every hour, and an error that is never forgotten."""

import asyncio
from collections.abc import Mapping

import pytest

from flowreaper.client.actions import TemplateId
from flowreaper.errors import ListingError
from flowreaper.events import SilentLog
from flowreaper.model import Flow
from flowreaper.safeguards.template_uses import FRESH_S, STALE_S, TemplateUses
from tests.virtual import run_virtual

TEMPLATE = TemplateId("4711", "welcome", "en", "APPROVED")


class Service:
    """The templates of each space; reading one takes 10 s, and may fail."""

    def __init__(self, **uses: Mapping[str, TemplateId]) -> None:
        self.uses = uses
        self.read: list[str] = []
        self.error: ListingError | None = None

    async def __call__(self, space: str) -> Mapping[str, TemplateId]:
        self.read.append(space)
        await asyncio.sleep(10)
        if self.error:
            raise self.error
        return self.uses.get(space, {})


class InfoLog(SilentLog):
    """Keeps what it is told at the level info."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def info(self, event: str, **fields: object) -> None:
        self.events.append((event, fields.get("flows_in_use")))


def test_a_space_is_read_once_however_many_ask_at_once() -> None:
    service = Service(a={"7": TEMPLATE})

    async def main() -> list[TemplateId | None]:
        uses = TemplateUses(service, SilentLog())
        asked = [uses.of(Flow(flow_id, "a")) for flow_id in ("7", "8", "9")]
        found = await asyncio.gather(*asked)
        assert asyncio.get_running_loop().time() < 11
        return [*found, await uses.of(Flow("7", "a"))]

    assert run_virtual(main()) == [TEMPLATE, None, None, TEMPLATE]
    assert service.read == ["a"]


def test_a_flow_counts_as_used_whatever_space_it_was_given_with() -> None:
    service = Service(a={"7": TEMPLATE})

    async def main() -> TemplateId | None:
        uses = TemplateUses(service, SilentLog())
        await uses.of(Flow("1", "a"))
        return await uses.of(Flow("7", "b"))

    assert run_virtual(main()) == TEMPLATE


def test_templates_that_cannot_be_read_let_no_flow_pass_not_even_later() -> None:
    service = Service()
    service.error = ListingError("no permission")

    async def main() -> None:
        uses = TemplateUses(service, SilentLog())
        for _ in range(3):
            with pytest.raises(ListingError):
                await uses.of(Flow("7", "a"))
        await uses.close()

    run_virtual(main())
    assert service.read == ["a"]


def test_templates_are_read_again_after_an_hour_without_holding_anybody_up() -> None:
    service = Service(a={})

    async def main() -> None:
        uses = TemplateUses(service, SilentLog())
        assert await uses.of(Flow("7", "a")) is None
        service.uses["a"] = {"7": TEMPLATE}
        await asyncio.sleep(FRESH_S)
        before = asyncio.get_running_loop().time()
        assert await uses.of(Flow("7", "a")) is None
        assert asyncio.get_running_loop().time() - before < 1
        await asyncio.sleep(11)
        assert await uses.of(Flow("7", "a")) == TEMPLATE

    run_virtual(main())
    assert service.read == ["a", "a"]


@pytest.mark.parametrize("sleeps", [False, True])
def test_what_is_too_old_serves_nobody(*, sleeps: bool) -> None:
    """Also where the machine slept, and the event loop's clock with it."""
    service, slept_s = Service(a={}), 0.0

    async def main() -> None:
        nonlocal slept_s
        uses = TemplateUses(service, SilentLog(), lambda: 1_800_000_000.0 + slept_s)
        assert await uses.of(Flow("7", "a")) is None
        service.uses["a"] = {"7": TEMPLATE}
        if sleeps:
            slept_s = STALE_S
        else:
            await asyncio.sleep(STALE_S)
        assert await uses.of(Flow("7", "a")) == TEMPLATE

    run_virtual(main())


def test_reading_them_again_is_no_news_unless_it_finds_something_new() -> None:
    service, told = Service(a={}), InfoLog()

    async def main() -> None:
        uses = TemplateUses(service, told)
        for found in ({}, {}, {"7": TEMPLATE}):
            service.uses["a"] = found
            await uses.of(Flow("7", "a"))
            await asyncio.sleep(FRESH_S + 20)

    run_virtual(main())
    assert service.read == ["a", "a", "a"]
    assert told.events == [("templates.reading", None), ("templates.read", 0), ("templates.read", 1)]


def test_a_failure_to_read_them_again_stops_the_next_flow() -> None:
    service = Service(a={})

    async def main() -> None:
        uses = TemplateUses(service, SilentLog())
        await uses.of(Flow("7", "a"))
        service.error = ListingError("no permission any more")
        await asyncio.sleep(FRESH_S)
        await uses.of(Flow("7", "a"))
        await asyncio.sleep(11)
        with pytest.raises(ListingError):
            await uses.of(Flow("8", "a"))

    run_virtual(main())


def test_closing_ends_what_is_read() -> None:
    async def main() -> None:
        uses = TemplateUses(Service(), SilentLog())
        asking = asyncio.create_task(uses.of(Flow("7", "a")))
        await asyncio.sleep(1)
        await uses.close()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())
