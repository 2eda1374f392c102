"""Several calls at once, whose results come in the order of what they were made for."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from typing import TypeVar

AT_ONCE = 20
"""How many calls are under way: at 5 a second, enough for answers that take up to 4 seconds."""

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_order(
    items: Iterable[Item], call: Callable[[Item], Awaitable[Result]], *, at_once: int = AT_ONCE
) -> AsyncGenerator[Result, None]:
    """Yield what `call` returns for each item, in their order, with up to `at_once` calls under way.

    The first exception, in that order, ends it. What is under way is cancelled when it ends.
    """

    async def made(item: Item) -> Result:
        return await call(item)

    under_way: deque[asyncio.Task[Result]] = deque()
    try:
        for item in items:
            under_way.append(asyncio.create_task(made(item)))
            if len(under_way) >= at_once:
                yield await under_way[0]
                under_way.popleft()
        while under_way:
            yield await under_way[0]
            under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
