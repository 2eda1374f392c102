"""How an answer is put on the wire, whole or spoilt. Knows HTTP and sockets, nothing of flows."""

import asyncio
import contextlib
import socket
import struct
from typing import NamedTuple

from aiohttp import web

from flowreaper.sandbox.trouble import Trouble

HUGE_BYTES = 10_000_000
REDIRECT_PATH = "/elsewhere"
_CHUNK = b" " * 65_536
_JSON = "application/json;charset=utf-8"
_PAGE = b"<html><head><title>503</title></head><body><h1>Service Temporarily Unavailable</h1></body></html>"
_REPLACEMENTS = {
    Trouble.HTML_503: (503, "text/html", _PAGE),
    # Said to be JSON, but neither JSON nor UTF-8.
    Trouble.GARBAGE: (200, _JSON, bytes(range(128, 256)) + b"{]\x00"),
    Trouble.EMPTY: (200, _JSON, b""),
}
# Switched on with no time to linger, closing a socket sends RST at once (socket(7), SO_LINGER).
_NO_LINGER = struct.pack("ii", 1, 0)


class Reply(NamedTuple):
    """An answer as it goes on the wire: the body names `request_id`, and so does a header."""

    status: int
    body: bytes
    request_id: str
    date: str

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every answer of the service has."""
        return {"Content-Type": _JSON, "Date": self.date, "x-acs-request-id": self.request_id}


def whole(reply: Reply, retry_after_ms: int = 0) -> web.Response:
    """Return the answer as it should be."""
    wish = {"x-acs-retry-after": str(retry_after_ms)} if retry_after_ms else {}
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers | wish)


def replacement(trouble: Trouble, date: str) -> web.Response | None:
    """Return what is sent in the answer's place, None where the trouble sends the answer itself."""
    if trouble is Trouble.REDIRECT:
        return web.Response(status=307, headers={"Location": REDIRECT_PATH, "Date": date})
    if trouble not in _REPLACEMENTS:
        return None
    status, content_type, body = _REPLACEMENTS[trouble]
    return web.Response(status=status, body=body, headers={"Content-Type": content_type, "Date": date})


def reset(request: web.BaseRequest) -> web.Response:
    """Reset the connection; the response that is returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response()


async def cut(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Announce the whole body, send half of it and close the connection."""
    response = await _announced(request, reply, len(reply.body))
    with contextlib.suppress(ConnectionError):
        await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def drip(request: web.BaseRequest, reply: Reply, duration_s: float) -> web.StreamResponse:
    """Send the whole body byte after byte, evenly over `duration_s`."""
    response = await _announced(request, reply, len(reply.body))
    with contextlib.suppress(ConnectionError):
        for byte in reply.body:
            await asyncio.sleep(duration_s / len(reply.body))
            await response.write(bytes((byte,)))
    return response


async def huge(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    """Send the body, which stays valid JSON, behind blanks up to `HUGE_BYTES` in all."""
    response = await _announced(request, reply, HUGE_BYTES)
    blanks = HUGE_BYTES - len(reply.body)
    with contextlib.suppress(ConnectionError):
        for _ in range(blanks // len(_CHUNK)):
            await response.write(_CHUNK)
        await response.write(_CHUNK[: blanks % len(_CHUNK)] + reply.body)
    return response


async def _announced(request: web.BaseRequest, reply: Reply, length: int) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = length
    await response.prepare(request)
    return response
