"""What the workers need of the limiter, the client and the sink: their only Protocols.

Parameters are positional only, so an implementation may give them names of its own.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from flowreaper.model import Change, Claim, Finding, Flow, Reply


class Permit(Protocol):
    """Permission to send one call."""

    @property
    def granted_at(self) -> float:
        """When it was granted, in seconds on the event loop's clock."""
        ...

    @property
    def was_sent(self) -> bool:
        """Whether `sent` was called."""
        ...

    def is_fresh(self) -> bool:
        """Return whether the call may still be sent; a call with a stale permit needs another."""
        ...

    def sent(self) -> None:
        """Record that the call was sent, or never will be. Only the first time counts."""
        ...


class RateLimiter(Protocol):
    """One account's pace. Only one task at a time may wait in `acquire`."""

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second other clients of the account seem to make; None without any sign of them."""
        ...

    async def acquire(self) -> Permit:
        """Wait until a call may be sent. Permits that nobody uses hold back the next ones."""
        ...

    def throttled(self, sent_at: float, retry_after_s: float, /) -> None:
        """Slow down: the service refused a call for its pace, and asks to wait `retry_after_s` seconds (or 0).

        `sent_at` is on the event loop's clock.
        """
        ...


class Transport(Protocol):
    """Sends one account's calls."""

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None,
        on_sent: Callable[[], None],
        may_send: Callable[[], bool],
        /,
    ) -> Reply:
        """Send one DeleteFlow call and return the reply, whatever it is.

        `timeout_s` shortens the usual time limit; None leaves it. `on_sent` is called when the request is on its
        way. `may_send` is asked at the last moment; if it says no, nothing is sent and HELD_BACK returned.

        Raises:
            RunError: something concerns every flow, and nothing was sent.
        """
        ...


class Guard(Protocol):
    """Looks at flows before they are deleted."""

    async def examine(self, claim: Claim, /) -> Finding:
        """Look at a flow that is about to be claimed; several are looked at at once.

        Raises:
            RunError: something concerns every flow.
        """
        ...


class OutcomeSink(Protocol):
    """Where flows are claimed, and where their outcomes go."""

    async def claim(self, new: int, rows: Sequence[int], /) -> list[Claim]:
        """Durably claim `rows` again, and up to `new` pending flows.

        Raises:
            RunError: the checkpoint cannot be written.
        """
        ...

    async def look(self, new: int, rows: Sequence[int], /) -> list[Claim]:
        """Return what `claim` would claim, without claiming it.

        Raises:
            RunError: the checkpoint cannot be read.
        """
        ...

    def put(self, change: Change, /) -> None:
        """Record a change soon."""
        ...

    async def flush(self) -> None:
        """Return when all changes are recorded."""
        ...
