"""What SIGINT, SIGTERM and SIGHUP do to a run: the first lets its calls end, the second leaves at once.

SIGUSR1 asks how far it is.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Protocol

_LEAVING_S = 2.0  # the longest that leaving at once may take
_ONE_EVENT_S = 1.0
# A terminal that closes sends SIGHUP, and its shell sends it again; systemd sends SIGTERM and SIGHUP together.


class Stoppable(Protocol):
    """What signals end: a run."""

    @property
    def in_flight(self) -> int:
        """How many calls are in progress."""
        ...

    def stop(self) -> None:
        """Send no more, and end."""
        ...

    def abandon(self) -> None:
        """Do not even wait for the calls in progress."""
        ...


class Signals:
    """Ends a run when a signal comes; `say` shows a person what the signal does."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._counted = 0
        self._last: tuple[int, float] | None = None
        self.status = 0
        """The exit status of a run that was interrupted, else 0."""

    def listen(self, loop: asyncio.AbstractEventLoop, run: Stoppable) -> None:
        """End `run`, which runs on `loop`, from now on; a signal that was ignored before stays so."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or `&` in a script
                signal.signal(number, lambda number, _frame: self._received(number, loop, run))

    def answer(self, loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
        """Call `tell`, on `loop`, whenever SIGUSR1 asks how far the run is. Before, the command ignores it."""

        def asked(_number: int, _frame: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell)

        signal.signal(signal.SIGUSR1, asked)

    def _received(self, number: int, loop: asyncio.AbstractEventLoop, run: Stoppable) -> None:
        # Not loop.add_signal_handler: that waits for the loop, which may itself wait for a reader of our
        # output that does not read. Nothing is lost by leaving so: that is what the checkpoint is for.
        if self._belongs_to_the_last(number, time.monotonic()) or loop.is_closed():
            return
        self._counted += 1
        # SIGHUP is treated as SIGTERM, also in the exit status.
        status = 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
        if self._counted > 1 and not self.status:
            os._exit(status)
        if self._counted == 2:  # noqa: PLR2004 -- the second one
            # The loop may come to wait for such a reader while it leaves.
            leaving = threading.Timer(_LEAVING_S, os._exit, (status,))
            leaving.daemon = True
            leaving.start()
        loop.call_soon_threadsafe(self._handle, status, run)

    def _belongs_to_the_last(self, number: int, now: float) -> bool:
        last, self._last = self._last, (number, now)
        if last is None or now - last[1] > _ONE_EVENT_S:
            return False
        both = {last[0], number}
        return signal.SIGHUP in both and signal.SIGINT not in both

    def _handle(self, status: int, run: Stoppable) -> None:
        if self.status:
            self._say(
                "Quitting now. Flows whose replies are missing are in doubt; the next run takes them first."
            )
            run.abandon()
            return
        self.status = status
        calls = run.in_flight
        self._say(_stopping(calls))
        run.stop()


def _stopping(calls: int) -> str:
    if not calls:
        return "Stopping. Press Ctrl-C again to quit now."
    progress = "the call in progress" if calls == 1 else f"the {calls} calls in progress"
    return f"Stopping after {progress}. Press Ctrl-C again to quit now."
