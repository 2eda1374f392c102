"""How an answer is put on the wire, whole or spoilt. Knows HTTP and sockets, nothing of flows."""

import asyncio
import contextlib
import socket
import struct

from aiohttp import web

from flowreaper.sandbox.answer import Answer
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


def whole(answer: Answer, body: bytes, date: str) -> web.Response:
    """Return the answer as it should be."""
    headers = {"Content-Type": _JSON, "Date": date}
    if answer.retry_after_ms:
        headers["x-acs-retry-after"] = str(answer.retry_after_ms)
    return web.Response(status=answer.status, body=body, headers=headers)


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


async def cut(request: web.BaseRequest, status: int, body: bytes, date: str) -> web.StreamResponse:
    """Announce the whole body, send half of it and close the connection."""
    response = await _announced(request, status, len(body), date)
    with contextlib.suppress(ConnectionError):
        await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def drip(
    request: web.BaseRequest, status: int, body: bytes, date: str, duration_s: float
) -> web.StreamResponse:
    """Send the whole body byte after byte, evenly over `duration_s`."""
    response = await _announced(request, status, len(body), date)
    with contextlib.suppress(ConnectionError):
        for byte in body:
            await asyncio.sleep(duration_s / len(body))
            await response.write(bytes((byte,)))
    return response


async def huge(request: web.BaseRequest, status: int, body: bytes, date: str) -> web.StreamResponse:
    """Send the body, which stays valid JSON, behind blanks up to `HUGE_BYTES` in all."""
    response = await _announced(request, status, HUGE_BYTES, date)
    blanks = HUGE_BYTES - len(body)
    with contextlib.suppress(ConnectionError):
        for _ in range(blanks // len(_CHUNK)):
            await response.write(_CHUNK)
        await response.write(_CHUNK[: blanks % len(_CHUNK)] + body)
    return response


async def _announced(request: web.BaseRequest, status: int, length: int, date: str) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": _JSON, "Date": date})
    response.content_length = length
    await response.prepare(request)
    return response
