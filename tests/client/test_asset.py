"""A flow's file, fetched from hosts that are not what they should be."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from flowreaper.client.asset import LIMIT, Asset, AssetFetcher, NotFetched, PublicResolver
from flowreaper.client.asset_url import is_public
from flowreaper.client.endpoint import Endpoint, region_endpoint
from flowreaper.errors import UntrustedServerError

HERE = Endpoint("http", "127.0.0.1", 1)
SERVICE = region_endpoint("ap-southeast-1")
NAME = "files.example"
JSON = b'{"version": "7.0", "screens": []}'
SECRET = "Signature=abc%2Bdef"
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Names(AbstractResolver):
    """A name server that gives these addresses for every name, one look-up after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family  # the protocol's signature
        self.asked.append(host)
        if not self._answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kinds = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in answer]
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)
            for address, kind in zip(answer, kinds, strict=True)
        ]

    async def close(self) -> None:
        pass


class Host:
    """A server that keeps each request's head and gives these bytes; None: never answers, b"": hangs up."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self._answer is None:
                await asyncio.sleep(3600)
            writer.write(self._answer or b"")
            await writer.drain()


@contextlib.asynccontextmanager
async def listening(host: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        try:
            await host(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def answer(body: bytes = JSON, *, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def fetch_here(host: Handler, *, total_s: float = 10.0, limit: int = LIMIT) -> Asset | NotFetched:
    async with listening(host) as port, AssetFetcher(HERE, total_s=total_s, limit=limit) as files:
        return await files.fetch(f"http://127.0.0.1:{port}/flow.json?{SECRET}")


def described(found: Asset | NotFetched) -> NotFetched:
    """Return why there is no file; whatever went wrong, it does not repeat the URL's secret."""
    assert isinstance(found, NotFetched)
    assert "Signature" not in found.reason
    assert "flow.json" not in found.reason
    return found


async def test_a_file_comes_as_it_is() -> None:
    assert await fetch_here(Host(answer())) == Asset(JSON)


async def test_the_host_gets_the_url_as_it_was_signed_and_nothing_that_it_need_not_know() -> None:
    host = Host(answer(headers="Set-Cookie: a=b\r\n"))
    async with listening(host) as port, AssetFetcher(HERE) as files:
        for _ in range(2):
            await files.fetch(f"http://127.0.0.1:{port}/a%2fb?{SECRET}")
    assert len(host.requests) == 2
    for request in host.requests:
        line, *headers = request.removesuffix("\r\n\r\n").split("\r\n")
        assert line == f"GET /a%2fb?{SECRET} HTTP/1.1"
        assert dict(header.split(": ", 1) for header in headers) == {
            "Host": f"127.0.0.1:{port}",
            "User-Agent": "flowreaper",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }


@pytest.mark.parametrize(
    ("status", "permanent", "reached"),
    [
        ("403 Forbidden", False, True),  # an expired signature: another URL helps
        ("404 Not Found", False, True),
        ("429 Too Many Requests", False, False),
        ("503 Service Unavailable", False, False),
        ("204 No Content", False, True),
    ],
)
async def test_an_answer_without_the_file_says_whether_the_host_is_failing(
    status: str, *, permanent: bool, reached: bool
) -> None:
    found = described(await fetch_here(Host(answer(b"" if status[:3] == "204" else JSON, status=status))))
    assert (found.permanent, found.reached) == (permanent, reached)
    assert f"HTTP {status[:3]}" in found.reason


async def test_a_redirect_is_not_followed() -> None:
    inner = Host(answer())
    async with listening(inner) as port:
        outer = Host(answer(status="302 Found", headers=f"Location: http://127.0.0.1:{port}/\r\n"))
        found = described(await fetch_here(outer))
    assert found.permanent
    assert "302" in found.reason
    assert inner.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        JSON[:-1],
        JSON + b"x",
        b'"\xff"',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"null",
        b'"error"',
    ],
    ids=["empty", "html", "cut", "longer", "latin-1", "utf-16", "deep", "null", "text"],
)
async def test_what_is_no_json_is_not_kept(body: bytes) -> None:
    found = described(await fetch_here(Host(answer(body))))
    assert "no JSON" in found.reason
    assert not found.permanent  # a proxy's page, perhaps


async def test_a_large_file_is_checked_too() -> None:
    large = b'{"screens": [' + b"1," * 200_000 + b"1]}"
    assert await fetch_here(Host(answer(large))) == Asset(large)
    assert "no JSON" in described(await fetch_here(Host(answer(large[:-1])))).reason


@pytest.mark.parametrize("said", [True, False], ids=["with its length", "without"])
async def test_a_file_of_too_many_bytes_is_refused_rather_than_cut(*, said: bool) -> None:
    for size, fits in ((50, True), (51, False)):
        body = b'{"a":"' + b"x" * (size - 8) + b'"}'
        whole = answer(body) if said else b"HTTP/1.0 200 OK\r\n\r\n" + body
        found = await fetch_here(Host(whole), limit=50)
        if fits:
            assert found == Asset(body)
        else:
            assert described(found) == NotFetched("it is longer than 50 bytes", permanent=True)


async def test_a_file_without_end_is_left_at_the_limit() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 100 * 1024 * 1024:
                writer.write(b"x" * 65_536)
                await writer.drain()
                sent += 65_536

    assert described(await fetch_here(endless)).permanent
    assert sent < 2 * LIMIT


async def test_a_compressed_file_is_refused() -> None:
    assert described(await fetch_here(Host(answer(headers="Content-Encoding: gzip\r\n")))).permanent


async def test_a_file_that_does_not_come_in_time_is_given_up() -> None:
    async def drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)

    for host in (drips, Host(None)):
        found = described(await fetch_here(host, total_s=0.2))
        assert found == NotFetched("127.0.0.1 did not send it within 0.2 s")


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n[1]", b"\x00\x01\x02\r\n\r\n"],
    ids=["hangs up", "cut", "no HTTP"],
)
async def test_a_host_that_breaks_off_was_reached(said: bytes) -> None:
    found = described(await fetch_here(Host(said)))
    assert (found.permanent, found.reached) == (False, True)


async def test_a_host_that_takes_no_connection_was_not_reached() -> None:
    async with listening(Host(answer())) as port:
        pass
    async with AssetFetcher(HERE) as files:
        found = described(await files.fetch(f"http://127.0.0.1:{port}/?{SECRET}"))
    assert (found.permanent, found.reached) == (False, False)
    assert "no connection to 127.0.0.1" in found.reason


async def test_a_url_that_is_refused_is_not_asked() -> None:
    host = Host(answer())
    async with listening(host) as port, AssetFetcher(SERVICE) as files:
        found = described(await files.fetch(f"http://127.0.0.1:{port}/?{SECRET}"))
    assert found.permanent
    assert host.requests == []


async def resolved(names: Names) -> Asset | NotFetched:
    host = Host(answer())
    async with listening(host) as port, AssetFetcher(SERVICE, names=lambda: names) as files:
        found = await files.fetch(f"https://{NAME}:{port}/?{SECRET}")
    assert host.requests == []
    return found


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_to_this_machine_or_network_is_not_asked(address: str) -> None:
    found = described(await resolved(Names([address])))
    assert found == NotFetched(f"{NAME} leads to an address that is not public", permanent=True)


async def test_only_the_public_addresses_of_a_name_are_connected_to() -> None:
    resolver = PublicResolver(Names(["127.0.0.1", "8.8.8.8", "::1"]), is_public)
    assert [each["host"] for each in await resolver.resolve(NAME)] == ["8.8.8.8"]


async def test_the_checked_address_is_the_one_that_is_connected_to() -> None:
    # A name server that gives another address the second time finds nobody who asks twice.
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    seen: list[str] = []

    def refuse_after_a_look(address: str) -> bool:
        seen.append(address)
        return False

    async with AssetFetcher(SERVICE, names=lambda: names, is_allowed=refuse_after_a_look) as files:
        found = described(await files.fetch(f"https://{NAME}/?{SECRET}"))
    assert found.permanent
    assert (names.asked, seen) == ([NAME], ["8.8.8.8"])


async def test_localhost_is_this_machine_and_nothing_else() -> None:
    resolver = PublicResolver(Names(["127.0.0.1", "8.8.8.8"]), is_public)
    assert [each["host"] for each in await resolver.resolve("localhost")] == ["127.0.0.1"]


async def test_a_name_without_an_address_was_not_reached() -> None:
    found = described(await resolved(Names()))
    assert (found.permanent, found.reached) == (False, False)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


async def fetch_over_tls(authority: trustme.CA, name: str, host: Host) -> Asset | NotFetched:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    async with (
        listening(host, context) as port,
        AssetFetcher(SERVICE, names=lambda: Names(["127.0.0.1"]), is_allowed=lambda _: True) as files,
    ):
        await files.fetch(f"https://{NAME}:{port}/?{SECRET}")
        return await files.fetch(f"https://{NAME}:{port}/?{SECRET}")


async def test_a_file_comes_over_tls_and_no_cookie_goes_back(authority: trustme.CA) -> None:
    host = Host(answer(headers="Set-Cookie: a=b; Path=/\r\n"))
    assert await fetch_over_tls(authority, NAME, host) == Asset(JSON)
    assert len(host.requests) == 2
    assert not any("cookie" in request.lower() for request in host.requests)


async def test_another_hosts_certificate_stops_everything_before_anything_is_sent(
    authority: trustme.CA,
) -> None:
    host = Host(answer())
    with pytest.raises(UntrustedServerError, match=f"certificate of {NAME}.*SSL_CERT_FILE") as caught:
        await fetch_over_tls(authority, "elsewhere.example", host)
    assert SECRET not in str(caught.value)
    assert host.requests == []


async def test_a_proxy_at_a_private_address_is_asked_to_connect_to_a_name_that_is_checked_as_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = Host(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    async with (
        listening(proxy) as port,
        AssetFetcher(SERVICE, names=lambda: Names(["127.0.0.1"])) as files,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hunter2@proxy.example:{port}")
        found = described(await files.fetch(f"https://{NAME}/flow.json?{SECRET}"))
        refused = described(await files.fetch("https://10.0.0.1/flow.json"))
    assert found == NotFetched("the proxy answered HTTP 407", reached=False)
    assert refused.permanent
    (request,) = proxy.requests
    assert request.startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n")
    assert "Signature" not in request
    assert re.search("^Proxy-Authorization", request, re.MULTILINE)
