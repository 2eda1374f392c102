"""The cheapest service there is: ``python -m tests.benchmarks.answerer``. Every request gets Code OK, unread.

The sandbox checks signatures and so costs as much as a client; where the client's own ceiling is asked for,
it would be measured instead. It prints what ``flowreaper sandbox`` prints.
"""

import asyncio
import sys

from flowreaper.sandbox import CREDENTIALS

_BODY = b'{"Code":"OK","Message":"None","RequestId":"C9F0BA7B-7B1A-5DD5-9C95-A5B5D5E5F5A5","AccessDeniedDetail":"None"}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
_HEAD_ENDS = b"\r\n\r\n"


class Answerer(asyncio.Protocol):
    """One connection; a request is a head without a body, one at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer once the head is whole."""
        self._held += data
        if self._held.endswith(_HEAD_ENDS) and self._transport:
            self._held = b""
            self._transport.write(_ANSWER)


async def serve() -> None:
    """Answer until killed."""
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(
        f"export FLOWREAPER_ENDPOINT=http://127.0.0.1:{port}\n"
        f"export ALIBABA_CLOUD_ACCESS_KEY_ID={CREDENTIALS.access_key_id}\n"
        f"export ALIBABA_CLOUD_ACCESS_KEY_SECRET={CREDENTIALS.access_key_secret}\n"
    )
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
