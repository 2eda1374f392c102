"""The HTTP edge, judged by the sandbox, by servers that speak bytes, and by certificates of our own making."""

import asyncio
import base64
import contextlib
import datetime as dt
import json
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client import client as client_module
from flowreaper.client.client import Client, CredentialSource
from flowreaper.client.credentials import StaticSource
from flowreaper.client.endpoint import Endpoint, parse_endpoint
from flowreaper.client.messages import BODY_LIMIT
from flowreaper.errors import (
    CredentialsError,
    UnsupportedAiohttpError,
    UntrustedServerError,
)
from flowreaper.model import HELD_BACK, Credentials, Flow, Reply
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

NOW_S = 1_700_000_000.0  # 2023-11-14T22:13:20Z
REMOTE = "cams.example.test"
PASSWORD = "hunter2"
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"Code":"OK"}'
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Clock:
    def __init__(self, now_s: float = NOW_S) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class SlowSource:
    """Credentials that take 100 s to come."""

    origin = "a fake"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.renewed = 0

    async def get(self) -> Credentials:
        self._clock.now_s += 100
        return CREDENTIALS

    async def renew(self) -> None:
        self.renewed += 1


class Recorder:
    """A server that keeps the bytes of each request and gives all the same answer; b"" hangs up at once."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self._answer = answer
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                if not self._answer:
                    break
                writer.write(self._answer)
                await writer.drain()

    def head(self) -> tuple[str, dict[str, str]]:
        """Return the only request's first line, and its headers by their lower-case names."""
        (request,) = self.requests
        line, *headers = request.decode().removesuffix("\r\n\r\n").split("\r\n")
        pairs = [header.split(": ", 1) for header in headers]
        assert len({name.lower() for name, _ in pairs}) == len(pairs)
        return line, {name.lower(): value for name, value in pairs}


class Tunnel:
    """A proxy that leads every CONNECT to one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            await hang_up(far_writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on a free port of this machine, and yield it."""
    under_way: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way.add(asyncio.ensure_future(_serve(handler, reader, writer)))

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
    for task in under_way:
        task.cancel()
    await asyncio.gather(*under_way, return_exceptions=True)


async def _serve(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await handler(reader, writer)
    finally:
        await hang_up(writer)


@contextlib.asynccontextmanager
async def sandbox_with(**options: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxOptions(**{"window": "none", **options})) as sandbox:
        yield sandbox


def client_of(
    endpoint: str | Endpoint,
    *,
    timeout_s: float = 30.0,
    connections: int = 10,
    credentials: CredentialSource | None = None,
    clock: Clock | None = None,
) -> Client:
    return Client(
        parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint,
        credentials or StaticSource(CREDENTIALS),
        timeout_s=timeout_s,
        connections=connections,
        **({"clock": clock} if clock else {}),
    )


async def send_one(endpoint: str | Endpoint, flow: Flow = Flow("1"), **options: Any) -> Reply:  # noqa: B008 -- a frozen value
    async with client_of(endpoint, **options) as client:
        return await client.send(flow)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# What goes out


async def test_a_flow_is_deleted_and_the_answer_read() -> None:
    async with sandbox_with() as sandbox:
        reply = await send_one(sandbox.url, Flow("346699123", "cams-x"))
        assert sandbox.service.deleted == {Flow("346699123", "cams-x")}
    assert (reply.status, reply.code, reply.readable, reply.reached) == (200, "OK", True, True)
    assert reply.request_id
    assert reply.date


async def test_a_call_is_sent_when_the_system_has_all_of_its_bytes() -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def sent() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                received.append(connection.recv(65_536))
                connection.sendall(ANSWER)

        async with client_of(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            reply = await client.send(Flow("1"), sent=sent)
    assert reply.code == "OK"
    (request,) = received
    assert request.startswith(b"POST ")
    assert request.endswith(b"\r\n\r\n")


async def test_a_call_that_may_no_longer_be_sent_is_held_back_and_the_client_goes_on() -> None:
    allowed = [False, True]
    async with sandbox_with() as sandbox, client_of(sandbox.url) as client:
        reply = await client.send(
            Flow("1"), sent=lambda: pytest.fail("it was not sent"), may_send=lambda: allowed.pop(0)
        )
        assert reply is HELD_BACK
        assert sandbox.ledger.total == 0
        assert (await client.send(Flow("1"), may_send=lambda: allowed.pop(0))).code == "OK"
        assert sandbox.ledger.total == 1


async def test_whether_a_call_may_be_sent_is_asked_once_it_has_a_connection() -> None:
    asked: list[str] = []

    def may_send(name: str) -> bool:
        asked.append(name)
        return True

    async with sandbox_with(latency_s=0.2) as sandbox, client_of(sandbox.url, connections=1) as client:
        first = asyncio.create_task(client.send(Flow("1"), may_send=partial(may_send, "1")))
        second = asyncio.create_task(client.send(Flow("2"), may_send=partial(may_send, "2")))
        await asyncio.sleep(0.1)
        assert asked == ["1"]
        assert [(await call).code for call in (first, second)] == ["OK", "OK"]
    assert asked == ["1", "2"]


async def test_a_call_that_waits_for_a_connection_is_not_sent_yet() -> None:
    sent: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for so_far in (["1"], ["1", "2"]):
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(100):
                await asyncio.sleep(0)
            assert sent == so_far
            writer.write(ANSWER)

    async with serving(answer) as port, client_of(f"http://127.0.0.1:{port}", connections=1) as client:
        calls = [client.send(Flow(flow_id), sent=partial(sent.append, flow_id)) for flow_id in ("1", "2")]
        assert [reply.code for reply in await asyncio.gather(*calls)] == ["OK", "OK"]


async def test_a_call_that_found_no_connection_was_not_sent() -> None:
    async with client_of(f"http://127.0.0.1:{free_port()}") as client:
        reply = await client.send(Flow("1"), sent=lambda: pytest.fail("it was not sent"))
    assert not reply.reached


async def test_a_refusal_is_returned_in_the_services_words() -> None:
    async with sandbox_with(foreign={"1"}) as sandbox:
        reply = await send_one(sandbox.url)
    assert (reply.status, reply.code) == (400, "Unknown.ResourceOwnerId")
    assert reply.message == "The resource does not belong to the current user."


async def test_one_connection_carries_call_after_call() -> None:
    async with sandbox_with() as sandbox, client_of(sandbox.url) as client:
        for number in range(20):
            assert (await client.send(Flow(str(number)))).code == "OK"
        assert len({call.peer_port for call in sandbox.ledger.calls}) == 1
        assert sandbox.ledger.total == 20


async def test_calls_at_once_take_no_more_connections_than_allowed() -> None:
    async with sandbox_with(latency_s=0.01) as sandbox, client_of(sandbox.url, connections=3) as client:
        replies = await asyncio.gather(*(client.send(Flow(str(number))) for number in range(30)))
        assert {reply.code for reply in replies} == {"OK"}
        assert len({call.peer_port for call in sandbox.ledger.calls}) == 3


async def test_the_query_goes_out_byte_for_byte_as_it_was_signed() -> None:
    recorder = Recorder()
    async with serving(recorder) as port:
        await send_one(f"http://127.0.0.1:{port}", Flow("a b*~+/:%é'(!)", "cams-x"))
    line, _ = recorder.head()
    assert line == "POST /?CustSpaceId=cams-x&FlowId=a%20b%2A~%2B%2F%3A%25%C3%A9%27%28%21%29 HTTP/1.1"


@pytest.mark.parametrize("flow_id", ["a b*~+/:%é'(!)", "%2F", "..", "?&=#", "流程", "+"])
async def test_an_id_of_odd_characters_arrives_as_it_is_with_a_valid_signature(flow_id: str) -> None:
    async with sandbox_with() as sandbox:
        assert (await send_one(sandbox.url, Flow(flow_id))).code == "OK"
        assert sandbox.service.deleted == {Flow(flow_id)}


async def test_no_header_goes_out_beyond_the_documented_ones() -> None:
    recorder = Recorder()
    async with serving(recorder) as port:
        await send_one(f"http://127.0.0.1:{port}", clock=Clock())
    _, headers = recorder.head()
    assert set(headers) == {
        "host",
        "accept",
        "authorization",
        "content-length",
        "user-agent",
        "x-acs-action",
        "x-acs-content-sha256",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-acs-version",
    }
    assert headers["host"] == f"127.0.0.1:{port}"
    assert headers["accept"] == "application/json"
    assert headers["content-length"] == "0"
    assert headers["x-acs-date"] == "2023-11-14T22:13:20Z"


async def test_every_call_has_a_nonce_of_its_own() -> None:
    recorder = Recorder()
    async with serving(recorder) as port, client_of(f"http://127.0.0.1:{port}") as client:
        for _ in range(5):
            await client.send(Flow("1"))
    lines = {line for request in recorder.requests for line in request.split(b"\r\n") if b"nonce:" in line}
    assert len(lines) == 5


async def test_a_cookie_of_the_server_is_not_sent_back() -> None:
    recorder = Recorder(ANSWER.replace(b"OK\r\n", b"OK\r\nSet-Cookie: id=1\r\n", 1))
    async with serving(recorder) as port, client_of(f"http://localhost:{port}") as client:
        for _ in range(2):
            assert (await client.send(Flow("1"))).code == "OK"
    assert b"cookie" not in b"".join(recorder.requests).lower()


async def test_the_date_is_taken_after_the_credentials_came() -> None:
    recorder, clock = Recorder(), Clock()
    async with serving(recorder) as port:
        await send_one(f"http://127.0.0.1:{port}", credentials=SlowSource(clock), clock=clock)
    assert recorder.head()[1]["x-acs-date"] == "2023-11-14T22:15:00Z"


async def test_temporary_credentials_are_accepted() -> None:
    temporary = Credentials("STS.key", "secret", "TOKEN+/=")
    async with sandbox_with(credentials=temporary) as sandbox:
        assert (await send_one(sandbox.url, credentials=StaticSource(temporary))).code == "OK"


async def test_renewing_is_passed_on_to_the_source() -> None:
    source = SlowSource(Clock())
    await client_of("127.0.0.1", credentials=source).renew_credentials()
    assert source.renewed == 1
    with pytest.raises(CredentialsError):
        await client_of("127.0.0.1").renew_credentials()


async def test_sending_outside_its_block_is_an_error() -> None:
    client = client_of("127.0.0.1")
    async with client:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        await client.send(Flow("1"))


# What goes wrong before anything was sent


async def test_a_refused_connection_means_that_nothing_was_sent() -> None:
    port = free_port()
    reply = await send_one(f"http://127.0.0.1:{port}")
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)
    assert reply.message.startswith("no connection: ")
    assert f"127.0.0.1:{port}" in reply.message


async def test_a_name_that_cannot_be_resolved_means_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    reply = await send_one(REMOTE)
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)
    assert REMOTE in reply.message
    assert "not known" in reply.message


async def test_a_connection_that_takes_too_long_means_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Recorder()  # it waits for a request, the client for a TLS greeting
    monkeypatch.setattr(client_module, "CONNECT_S", 0.05)
    async with serving(silent) as port:
        reply = await send_one(f"https://127.0.0.1:{port}")
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)


async def test_a_server_that_speaks_no_tls_means_that_nothing_was_sent() -> None:
    async with sandbox_with() as sandbox:
        reply = await send_one(f"https://127.0.0.1:{sandbox.port}")
        assert sandbox.ledger.total == 0
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)


# What goes wrong afterwards


@pytest.mark.parametrize(("trouble", "deleted"), [("reset-before", 0), ("reset-after", 1)])
async def test_a_reset_is_a_lost_answer_and_the_call_is_not_sent_again(trouble: str, deleted: int) -> None:
    # On the second call, which is made on a connection that was used before: HTTP clients like to repeat those.
    async with sandbox_with(trouble=f"{trouble}:#2-") as sandbox, client_of(sandbox.url) as client:
        await client.send(Flow("1"))
        reply = await client.send(Flow("2"))
        assert sandbox.ledger.total == 2
        assert len(sandbox.service.deleted) == 1 + deleted
    assert (reply.status, reply.readable, reply.reached) == (0, False, True)
    assert reply.message.startswith("the answer was lost: ")


async def test_an_answer_that_no_call_asked_for_is_not_taken_for_the_next_call_s() -> None:
    idle = asyncio.Event()
    arrived: list[str] = []

    async def answer_twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while request := await reader.readuntil(b"\r\n\r\n"):
                arrived.append(re.findall(r"FlowId=(\w+)", request.decode())[0])
                writer.write(ANSWER)
                if len(arrived) == 1:
                    await idle.wait()
                    writer.write(ANSWER)

    async with serving(answer_twice) as port, client_of(f"http://127.0.0.1:{port}") as client:
        assert (await client.send(Flow("1"))).code == "OK"
        idle.set()
        for _ in range(100):
            await asyncio.sleep(0)
        surplus = await client.send(Flow("2"), sent=lambda: pytest.fail("it was not sent"))
        assert (surplus.readable, surplus.reached) == (False, False)
        assert surplus.message == "no connection: the connection holds bytes that answer no call"
        assert (await client.send(Flow("3"))).code == "OK"
    assert arrived == ["1", "3"]


async def test_a_server_that_hangs_up_on_a_request_leaves_a_lost_answer() -> None:
    recorder = Recorder(b"")
    async with serving(recorder) as port:
        reply = await send_one(f"http://127.0.0.1:{port}")
    assert len(recorder.requests) == 1
    assert (reply.status, reply.readable, reply.reached) == (0, False, True)


@pytest.mark.parametrize("trouble", ["hang-before", "hang-after"])
async def test_no_answer_within_the_timeout_is_a_lost_one(trouble: str) -> None:
    async with sandbox_with(trouble=f"{trouble}:#1") as sandbox:
        reply = await send_one(sandbox.url, timeout_s=0.2)
        assert sandbox.ledger.total == 1
    assert reply == Reply(0, message="no answer within 0.2 s", readable=False)


async def test_the_timeout_bounds_an_answer_that_comes_byte_after_byte() -> None:
    async with sandbox_with(trouble="drip:#1", drip_s=60) as sandbox:
        reply = await send_one(sandbox.url, timeout_s=0.3)
    assert reply == Reply(0, message="no answer within 0.3 s", readable=False)


async def test_an_answer_that_comes_byte_after_byte_in_time_is_read() -> None:
    async with sandbox_with(trouble="drip:#1", drip_s=0.05) as sandbox:
        assert (await send_one(sandbox.url)).code == "OK"


@pytest.mark.parametrize(
    ("trouble", "status", "says"),
    [
        ("cut-body", 200, "cut short"),
        ("garbage", 200, "no JSON object"),
        ("empty", 200, "no JSON object"),
        ("html-503", 503, "Service Temporarily Unavailable"),
        ("redirect", 307, "no JSON object"),
        ("huge", 200, "cut short"),
    ],
)
async def test_an_answer_that_is_not_the_services_json_is_unreadable(
    trouble: str, status: int, says: str
) -> None:
    async with sandbox_with(trouble=f"{trouble}:#1") as sandbox, client_of(sandbox.url) as client:
        reply = await client.send(Flow("1"))
        assert (await client.send(Flow("2"))).code == "OK"
        assert sandbox.ledger.redirects_followed == 0
        assert sandbox.ledger.total == 2
    assert (reply.status, reply.code, reply.readable, reply.reached) == (status, "", False, True)
    assert says in reply.message
    assert len(reply.message) < 10_000


async def test_an_endless_answer_is_cut_off_at_the_limit() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" " * 1000)
                await writer.drain()
        gone.set()

    gone = asyncio.Event()
    async with serving(babble) as port:
        reply = await send_one(f"http://127.0.0.1:{port}")
        await gone.wait()
    assert not reply.readable
    assert "cut short" in reply.message


@pytest.mark.parametrize(("excess", "readable"), [(0, True), (1, False)])
async def test_an_answer_up_to_the_limit_is_read_whole(excess: int, *, readable: bool) -> None:
    body = b'{"Code":"OK"}'.ljust(BODY_LIMIT + excess)
    recorder = Recorder(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    async with serving(recorder) as port:
        assert (await send_one(f"http://127.0.0.1:{port}")).readable is readable


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 \x1b[31m\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
async def test_bytes_that_are_no_proper_http_are_an_unreadable_answer(answer: bytes) -> None:
    async with serving(Recorder(answer)) as port:
        reply = await send_one(f"http://127.0.0.1:{port}")
    assert (reply.code, reply.readable, reply.reached) == ("", False, True)
    assert reply.message.isprintable()


# What came back holds our own secrets

STS = Credentials("STS.access-key-of-a-role", "secret", f"CAIS/+{'0123456789abcdefghij' * 20}==")


def echo_of(head: bytes) -> bytes:
    return b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head)


@pytest.mark.parametrize("readable", [False, True])
async def test_the_token_and_the_signature_of_a_call_are_taken_out_of_its_reply(*, readable: bool) -> None:
    heads: list[str] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        text = json.dumps({"Code": "Odd", "Message": heads[-1], "RequestId": STS.security_token})
        writer.write(echo_of((text if readable else heads[-1]).encode()))

    async with serving(echo) as port:
        reply = await send_one(f"http://127.0.0.1:{port}", credentials=StaticSource(STS))
    (head,) = heads
    assert reply.readable is readable
    assert "x-acs-security-token: [redacted]" in reply.message
    assert "Signature=[redacted]" in reply.message
    assert f"Credential={STS.masked_id}," in reply.message
    (signature,) = re.findall("Signature=([0-9a-f]{64})", head)
    for secret in (STS.security_token, signature, STS.access_key_id):
        assert secret not in repr(reply)
    assert "x-acs-date" in reply.message


async def test_a_success_is_kept_word_for_word() -> None:
    async with sandbox_with(credentials=STS) as sandbox:
        reply = await send_one(sandbox.url, credentials=StaticSource(STS))
    assert (reply.code, reply.message) == ("OK", "None")


# An aiohttp that does not run the hook


@pytest.mark.parametrize("trouble", ["", "reset-after:#1", "hang-after:#1", "cut-body:#1"])
async def test_where_the_hook_never_runs_the_first_call_keeps_the_truth_and_the_next_is_not_made(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "HookedRequest", aiohttp.ClientRequest)
    sent: list[str] = []
    async with sandbox_with(trouble=trouble) as sandbox, client_of(sandbox.url, timeout_s=0.5) as client:
        reply = await client.send(Flow("1"), sent=partial(sent.append, "1"))
        assert sandbox.service.deleted == (
            {Flow("1")} if trouble != "cut-body:#1" else sandbox.service.deleted
        )
        with pytest.raises(UnsupportedAiohttpError, match=r"install aiohttp>=3\.10,<4") as caught:
            await client.send(Flow("2"))
        assert sandbox.ledger.total == 1
    assert reply.reached
    assert (reply.code == "OK") is not bool(trouble)
    assert sent == ["1"]
    assert aiohttp.__version__ in str(caught.value)


async def test_where_the_hook_never_runs_a_call_that_is_cut_off_has_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "HookedRequest", aiohttp.ClientRequest)
    sent, arrived = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await reader.read()

    async with serving(hang) as port, client_of(f"http://127.0.0.1:{port}") as client:
        call = asyncio.create_task(client.send(Flow("1"), sent=sent.set))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert sent.is_set()


async def test_where_the_hook_never_runs_a_refused_connection_still_means_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "HookedRequest", aiohttp.ClientRequest)
    async with client_of(f"http://127.0.0.1:{free_port()}") as client:
        assert not (await client.send(Flow("1"))).reached
        assert not (await client.send(Flow("1"))).reached


async def test_an_aiohttp_whose_requests_have_no_send_is_refused_before_any_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aiohttp.ClientRequest, "_send", aiohttp.ClientRequest.send, raising=False)
    monkeypatch.delattr(aiohttp.ClientRequest, "send")
    async with sandbox_with() as sandbox:
        with pytest.raises(UnsupportedAiohttpError, match="does not report when a request was sent"):
            await send_one(sandbox.url)
        assert sandbox.ledger.total == 0


# The clock


async def test_a_service_with_another_clock_is_followed_by_its_date() -> None:
    async with sandbox_with(clock_offset_s=2400) as sandbox, client_of(sandbox.url) as client:
        refused = await client.send(Flow("1"))
        assert refused.code == "InvalidTimeStamp.Expired"
        assert client.correct_clock(refused.date)
        assert client.clock_offset_s == pytest.approx(2400, abs=30)
        assert (await client.send(Flow("1"))).code == "OK"


async def test_a_date_that_says_nothing_new_is_told_apart() -> None:
    client = client_of("127.0.0.1", clock=Clock())
    assert not client.correct_clock(formatdate(NOW_S + 1, usegmt=True))
    assert client.correct_clock(formatdate(NOW_S + 3600, usegmt=True))
    assert client.clock_offset_s == 3600
    assert not client.correct_clock(formatdate(NOW_S + 3600, usegmt=True))
    assert client.correct_clock(formatdate(NOW_S - 60, usegmt=True))
    assert client.clock_offset_s == -60


@pytest.mark.parametrize("zone", ["GMT", "-0000", "", "+0000"])
async def test_a_date_that_names_no_zone_is_gmt_wherever_this_machine_is(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Singapore")
    time.tzset()
    try:
        client = client_of("127.0.0.1", clock=Clock())
        client.correct_clock(f"Tue, 14 Nov 2023 22:13:25 {zone}".strip())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert client.clock_offset_s == 5


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Mon, 01 Jan 1900 00:00:00 GMT",
        "Tue, 14 Nov 2023 22:13:20 +99999999999999999999",
    ],
)
async def test_a_date_that_cannot_be_leaves_the_clock_alone(date: str) -> None:
    client = client_of("127.0.0.1", clock=Clock())
    assert not client.correct_clock(date)
    assert client.clock_offset_s == 0


@given(
    st.text()
    | st.builds(
        "{}, {} {} {} {}:{}:{} {}".format,
        st.sampled_from(["Mon", ""]),
        st.integers(-1, 99),
        st.sampled_from(["Jan", "Feb", "x"]),
        st.integers(-1, 100_000),
        st.integers(-1, 99),
        st.integers(-1, 99),
        st.integers(-1, 99),
        st.sampled_from(["GMT", "-0000", "+9999", "-9999", ""]),
    )
)
def test_no_date_at_all_makes_a_call_that_cannot_be_dated(date: str) -> None:
    client = client_of("127.0.0.1", clock=Clock())
    client.correct_clock(date)
    assert 0 <= NOW_S + client.clock_offset_s < 1e11


# Certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the authority one that SSL_CERT_FILE names."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def https_sandbox(certificate: trustme.LeafCert) -> Sandbox:
    return Sandbox(SandboxOptions(window="none"), ssl_context=server_context(certificate))


async def test_a_certificate_of_an_authority_in_ssl_cert_file_is_trusted(
    authority: trustme.CA, trusted: None
) -> None:
    async with https_sandbox(authority.issue_cert("127.0.0.1")) as sandbox, client_of(sandbox.url) as client:
        for number in range(3):
            assert (await client.send(Flow(str(number)))).code == "OK"
        assert len({call.peer_port for call in sandbox.ledger.calls}) == 1


async def test_a_call_over_tls_has_left_before_its_answer(authority: trustme.CA, trusted: None) -> None:
    sent = asyncio.Event()

    async def answer_after_that(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await sent.wait()
        writer.write(ANSWER)

    context = server_context(authority.issue_cert("127.0.0.1"))
    async with (
        serving(answer_after_that, context) as port,
        client_of(f"https://127.0.0.1:{port}", timeout_s=5) as client,
    ):
        assert (await client.send(Flow("1"), sent=sent.set)).code == "OK"


async def refuses(certificate: trustme.LeafCert, says: str) -> None:
    async with https_sandbox(certificate) as sandbox:
        with pytest.raises(UntrustedServerError) as caught:
            await send_one(sandbox.url)
        assert sandbox.ledger.total == 0
        assert f"the certificate of 127.0.0.1:{sandbox.port} cannot be trusted" in str(caught.value)
    assert says in str(caught.value)
    assert "SSL_CERT_FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_an_unknown_authority_stops_the_run_before_anything_is_sent(trusted: None) -> None:
    await refuses(trustme.CA().issue_cert("127.0.0.1"), "certificate verify failed")


async def test_an_expired_certificate_stops_the_run_before_anything_is_sent(
    authority: trustme.CA, trusted: None
) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    await refuses(authority.issue_cert("127.0.0.1", not_after=yesterday), "expired")


async def test_a_certificate_of_another_host_stops_the_run_before_anything_is_sent(
    authority: trustme.CA, trusted: None
) -> None:
    await refuses(authority.issue_cert("elsewhere.test"), "IP address mismatch")


# Proxies


async def test_https_goes_through_the_proxy_of_the_environment_in_a_tunnel(
    authority: trustme.CA, trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with https_sandbox(authority.issue_cert(REMOTE)) as sandbox:
        tunnel = Tunnel(sandbox.port)
        async with serving(tunnel) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
            assert (await send_one(REMOTE)).code == "OK"
        assert sandbox.ledger.total == 1
    (request,) = tunnel.requests
    assert request.startswith(f"CONNECT {REMOTE}:443 HTTP/1.1\r\n".encode())
    assert b"Proxy-Authorization: Basic" in request
    # The signed headers are for the service alone.
    assert b"x-acs" not in request.lower()


async def test_a_proxy_that_breaks_the_encryption_up_stops_the_run(
    trusted: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with https_sandbox(trustme.CA().issue_cert(REMOTE)) as sandbox:
        async with serving(Tunnel(sandbox.port)) as port:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
            with pytest.raises(UntrustedServerError) as caught:
                await send_one(REMOTE)
        assert sandbox.ledger.total == 0
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            "no connection: the proxy answered HTTP 407",
        ),
        (
            b"HTTP/1.1 502 \x1b[31mbad\r\nContent-Length: 0\r\n\r\n",
            "no connection: the proxy answered HTTP 502",
        ),
        (b"HTTP/1.1 502 bad\r\nContent-Length: 0\r\n\r\n", "no connection: the proxy answered HTTP 502"),
        (b"", "no connection: the connection was closed"),
        (b"\x00\x00\r\n\r\n", "no connection: the answer is not valid HTTP"),
    ],
)
async def test_a_proxy_that_fails_is_told_without_its_password(
    answer: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(Recorder(answer)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
        reply = await send_one(REMOTE)
    # Whatever it was, it was before the call.
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)
    assert reply.message == says
    assert PASSWORD not in repr(reply)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 %b\r\n\r\n",
        b"HTTP/1.1 %b\r\n\r\n",
        b"%b\r\n\r\n",
        b"HTTP/1.1 407 No\r\nX: %b\r\n",
        b"HTTP/1.1 407 No\r\nX: \x00%b\r\n\r\n",
    ],
)
async def test_no_word_of_a_proxy_is_told_since_it_may_echo_the_password(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = base64.b64encode(f"user:{PASSWORD}".encode())

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert login in head
        writer.write(answer % head.strip().replace(b"\r\n", b" "))

    async with serving(echo) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
        reply = await send_one(REMOTE)
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)
    assert login.decode() not in repr(reply)
    assert "roxy-" not in repr(reply)


async def test_a_407_of_the_proxy_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with serving(Recorder(answer)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        assert not (await send_one(REMOTE)).reached


async def test_a_proxy_that_is_not_there_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@127.0.0.1:{port}")
    reply = await send_one(REMOTE)
    assert (reply.status, reply.readable, reply.reached) == (0, False, False)
    assert PASSWORD not in repr(reply)
    assert f"127.0.0.1:{port}" in reply.message
