"""An event loop whose time is virtual: it jumps to the next timer instead of waiting for it."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_TICK_S = 1e-9
# Each turn of the loop takes this long, so that a timer that is due "now" but a rounding error away is reached.


class VirtualLoop(asyncio.SelectorEventLoop):
    """Starts at time 0; `late_s` says by how much each wake-up of a timer is late."""

    def __init__(self, late_s: Callable[[], float] = lambda: 0.0) -> None:
        self.now = 0.0
        self._late_s = late_s
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now

    def wait(self, timeout: float | None) -> None:
        """Let time pass instead of waiting."""
        if timeout is None:
            raise AssertionError("every task waits for something that no timer will bring")
        self.now += _TICK_S if timeout <= 0 else timeout + self._late_s()


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            self._loop.wait(timeout)
        return ready


def run_virtual(coroutine: Coroutine[Any, Any, T], late_s: Callable[[], float] = lambda: 0.0) -> T:
    """Run a coroutine to its end in virtual time."""
    loop = VirtualLoop(late_s)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
