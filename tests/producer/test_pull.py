"""Items of any iterable, as they come, without keeping the event loop waiting."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from flowreaper.producer.pull import Pull, pull

ERROR = LookupError("the cursor is closed")


async def taken(items: Pull, most: int = 1000) -> list[object]:
    """Take all items."""
    found: list[object] = []
    while batch := await items.take(most):
        assert len(batch) <= most
        found += batch
    return found


def plain(numbers: Iterable[int], error: BaseException | None = None) -> Iterator[int]:
    yield from numbers
    if error:
        raise error


async def slow(numbers: Iterable[int], error: BaseException | None = None) -> AsyncIterator[int]:
    for number in numbers:
        await asyncio.sleep(0)
        yield number
    if error:
        raise error


@pytest.mark.parametrize("iterable", [plain, slow])
@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("error", [None, ERROR])
async def test_every_item_is_taken_once_and_in_order_and_then_the_error_is_known(
    iterable: type[Iterator[int]], most: int, error: BaseException | None
) -> None:
    items = pull(iterable(range(2500), error), ahead=10)  # type: ignore[call-arg]
    assert await taken(items, most) == list(range(2500))
    assert items.error is error
    assert await items.take(1) == []
    await items.close()


async def test_no_more_items_are_asked_for_than_may_wait() -> None:
    asked: list[int] = []

    def flows() -> Iterator[int]:
        for number in range(100):
            asked.append(number)
            yield number

    items = pull(flows(), ahead=3)
    most = 3 + len(await items.take(2))
    while len(asked) < most:  # noqa: ASYNC110 -- the thread goes at its own pace
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(asked) == most
    await items.close()


async def test_a_plain_iterable_runs_in_a_thread_with_the_caller_s_context() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("request 7")

    def flows() -> Iterator[object]:
        yield name.get()
        yield threading.current_thread() is threading.main_thread()

    assert await taken(pull(flows())) == ["request 7", False]


async def test_after_a_stop_what_has_come_is_taken_and_what_comes_then_is_dropped() -> None:
    go_on = threading.Event()
    threads: list[threading.Thread] = []
    reached: list[int] = []

    def flows() -> Iterator[int]:
        threads.append(threading.current_thread())
        yield 1
        yield 2
        assert go_on.wait(30)
        reached.append(3)
        yield 3
        reached.append(4)

    items = pull(flows())
    found = await items.take(1)
    while len(found) < 2:
        found += await items.take(1)
    await items.close()
    go_on.set()
    assert await items.take(1) == []
    assert found == [1, 2]
    await asyncio.to_thread(threads[0].join)
    assert reached == [3]
    assert await items.take(1) == []


async def test_an_async_iterable_that_waits_is_cancelled_by_a_stop() -> None:
    cancelled: list[bool] = []

    async def flows() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    items = pull(flows())
    assert await items.take(1) == [1]
    await asyncio.sleep(0)
    await items.close()
    assert cancelled == [True]
    assert await items.take(1) == []
    assert items.error is None


async def test_a_cancellation_that_an_async_iterable_raises_itself_is_its_error() -> None:
    items = pull(slow([1], asyncio.CancelledError()))
    assert await taken(items) == [1]
    assert isinstance(items.error, asyncio.CancelledError)


async def test_a_stop_before_the_first_step_begins_nothing() -> None:
    for items in (pull(plain([1])), pull(slow([1]))):
        items.stop()
        assert await items.take(1) == []
        await items.close()


def test_what_cannot_be_iterated_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        pull(926)  # type: ignore[arg-type]
