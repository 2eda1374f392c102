"""Knows when a request was sent. The only module that touches aiohttp's internals.

A flow whose call failed may be gone only if the call was sent. aiohttp's errors do not say whether it was. Its
tracing fires before the bytes are written, and costs 20 us a call. So `HookedRequest` overrides
``ClientRequest.send``, which aiohttp 3 calls once it has a connection.

aiohttp 4 calls another method. The override would never run, and every lost answer would look like a call that was
never sent. Three things prevent that: the upper bound in pyproject.toml; `check_aiohttp` before the first call; and
`HookedConnector`, a second witness: a call that had a connection may have been sent, even if the hook did not run.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import aiohttp

from flowreaper.errors import UnsupportedAiohttpError


class Sending:
    """How far one call has come.

    `may_send` is asked right before the call is sent; `sent` is called once the system has its bytes.
    """

    __slots__ = ("begun", "connected", "may_send", "sent")

    def __init__(self, sent: Callable[[], None], may_send: Callable[[], bool] = lambda: True) -> None:
        self.connected = False
        self.begun = False
        self.sent = sent
        self.may_send = may_send

    @property
    def never_sent(self) -> bool:
        """Whether it is certain that nothing of the call was sent."""
        return not (self.connected or self.begun)


sending: ContextVar[Sending] = ContextVar("sending")
"""The call that the running task makes."""


class SurplusBytesError(aiohttp.ClientConnectionError):
    """A pooled connection holds bytes that answer no call."""


class HeldBackError(Exception):
    """The call may no longer be sent. Not a ClientError, so that aiohttp does not wrap it."""


class HookedRequest(aiohttp.ClientRequest):
    """A request that marks its call as begun, then as sent."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send the call, unless stale bytes on its connection would be read as its answer."""
        call = sending.get()
        if conn.protocol is None or conn.protocol.should_close:
            # Bytes came while the connection was idle.
            call.connected = False
            raise SurplusBytesError("the connection holds bytes that answer no call")
        if not call.may_send():
            call.connected = False
            raise HeldBackError
        call.begun = True
        try:
            return await super().send(conn)
        finally:
            # The request has no body: everything that will ever be written has been written.
            call.sent()


class HookedConnector(aiohttp.TCPConnector):
    """A connector that marks its call as connected."""

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
        f"this aiohttp ({aiohttp.__version__}) does not report when a request was sent, so flowreaper could not judge"
        " a lost answer: install aiohttp>=3.10,<4 and run the same command again"
    )
