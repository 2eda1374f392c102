"""Knows when a request was sent: aiohttp's internals, fenced in here.

Whether a call that failed has left decides whether its flow may be gone. aiohttp's errors do not say it, and its
tracing says it before the bytes are written, and for 20 us a call. So `HookedRequest` overrides
``ClientRequest.send``, which aiohttp 3 calls once a connection is there. aiohttp 4 calls another method: an
override that never runs would make each lost answer look like a call that never left. Hence the upper bound in
pyproject.toml, `check_aiohttp` before the first call, and `HookedConnector`, the second witness: a call that had a
connection may have left, whatever the first one says.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import aiohttp

from flowreaper.errors import UnsupportedAiohttpError


class Sending:
    """How far one call has come.

    `left` is called once its bytes were given to the system; `may_leave` is asked right before.
    """

    __slots__ = ("begun", "connected", "left", "may_leave")

    def __init__(self, left: Callable[[], None], may_leave: Callable[[], bool] = lambda: True) -> None:
        self.connected = False
        self.begun = False
        self.left = left
        self.may_leave = may_leave

    @property
    def never_left(self) -> bool:
        """Whether it is certain that nothing of the call was sent."""
        return not (self.connected or self.begun)


sending: ContextVar[Sending] = ContextVar("sending")
"""The call that the running task makes."""


class SurplusBytesError(aiohttp.ClientConnectionError):
    """A pooled connection holds bytes that answer no call."""


class HeldBackError(Exception):
    """The call may not be sent any more; aiohttp passes on what is none of its own errors."""


class HookedRequest(aiohttp.ClientRequest):
    """Notes in `sending` that the call is sent."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send the call, unless its connection holds what would be taken for its answer."""
        call = sending.get()
        if conn.protocol is None or conn.protocol.should_close:
            # It waited unused, and something came.
            call.connected = False
            raise SurplusBytesError("the connection holds bytes that answer no call")
        if not call.may_leave():
            call.connected = False
            raise HeldBackError
        call.begun = True
        try:
            return await super().send(conn)
        finally:
            # There is no body, so all of it was written, or as much as ever will be.
            call.left()


class HookedConnector(aiohttp.TCPConnector):
    """Notes in `sending` that the call has a connection."""

    async def connect(self, *arguments: Any, **options: Any) -> aiohttp.connector.Connection:
        """Take a connection from the pool, or make one."""
        connection = await super().connect(*arguments, **options)
        sending.get().connected = True
        return connection


def check_aiohttp() -> None:
    """Raise UnsupportedAiohttpError where `HookedRequest.send` overrides nothing."""
    if not hasattr(aiohttp.ClientRequest, "send"):
        raise unsupported()


def unsupported() -> UnsupportedAiohttpError:
    """Return the error for an aiohttp that does not run the hook."""
    return UnsupportedAiohttpError(
        f"this aiohttp ({aiohttp.__version__}) does not report when a request was sent, so what became of a flow"
        " whose answer is lost would be unknown: install aiohttp>=3.10,<4 and run the same command again"
    )
