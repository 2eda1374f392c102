"""What no HTTP library would send: the sandbox answers or closes, shows no traceback, and serves the next one."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from flowreaper.sandbox import api, server

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FORM = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\n"
MEGABYTES = b"a" * 10_000_000
LIMIT = api.BODY_LIMIT


async def answered(port: int, *pieces: bytes) -> bytes:
    """Send the pieces one by one; return what came until the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        while piece := await reader.read(65_536):
            received += piece
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return received


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"\x00\x01\xff\r\n\r\n"], id="no HTTP"),
        pytest.param([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], id="TLS"),
        pytest.param([b"POST / HTTP/1.1\r\n\r\n"], id="no host"),
        pytest.param([HEAD + b"Host: b\r\n\r\n"], id="two hosts"),
        pytest.param([HEAD + b"X: a\x00b\r\n\r\n"], id="NUL in a header"),
        pytest.param([HEAD + b"X: ", MEGABYTES], id="endless header"),
        pytest.param([HEAD + b"X: a\r\n" * 5000 + b"\r\n"], id="thousands of headers"),
        pytest.param([b"POST /?", MEGABYTES], id="endless URL"),
        pytest.param([HEAD + b"Content-Length: -3\r\n\r\nabc"], id="negative length"),
        pytest.param([HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"], id="two lengths"),
        pytest.param(
            [HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], id="smuggling"
        ),
        pytest.param([CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n"], id="bad chunk"),
        pytest.param([CHUNKED + b"f" * 20 + b"\r\nabc"], id="overflowing chunk"),
    ],
)
async def test_what_is_no_proper_http_is_refused_without_a_word_on_stderr(
    start: Any, caplog: pytest.LogCaptureFixture, pieces: list[bytes]
) -> None:
    client = await start()
    received = await answered(client.sandbox.port, *pieces)
    assert received == b"" or received.startswith(b"HTTP/1.0 400 ")
    assert b"aiohttp" not in received
    assert (await client.delete("1")).code == "OK"
    assert caplog.records == []


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"], id="bad chunk"),
        pytest.param([CHUNKED, b"3\r\nabc\r\n"], id="no last chunk"),
        pytest.param([FORM + b"Content-Length: 300\r\n\r\nFlowId=1"], id="short body"),
    ],
)
async def test_a_body_that_does_not_come_is_given_up(
    start: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, pieces: list[bytes]
) -> None:
    monkeypatch.setattr(api, "BODY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(server, "_LINGER_S", 0.05)
    client = await start()
    received = await answered(client.sandbox.port, *pieces)
    # A chunk that is seen to be bad before the request is handled gets aiohttp's own words.
    assert b"The body did not arrive whole." in received or b"Invalid character in chunk size" in received
    assert received.split()[1] == b"400"
    assert (await client.delete("1")).code == "OK"
    assert caplog.records == []


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([FORM + b"Content-Length: 10000000\r\n\r\n", MEGABYTES], id="length"),
        pytest.param([CHUNKED, b"989680\r\n", MEGABYTES, b"\r\n0\r\n\r\n"], id="chunks"),
    ],
)
async def test_a_body_of_ten_megabytes_is_refused_with_http_413(start: Any, pieces: list[bytes]) -> None:
    client = await start()
    received = await answered(client.sandbox.port, *pieces)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert f"The body is longer than {LIMIT:,} bytes.".encode() in received
    assert (await client.delete("1")).code == "OK"


async def test_a_client_may_leave_in_the_middle_of_its_body(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start()
    _, writer = await asyncio.open_connection("127.0.0.1", client.sandbox.port)
    writer.write(FORM + b"Content-Length: 300\r\n\r\nFlowId=1")
    await writer.drain()
    writer.transport.abort()
    assert (await client.delete("1")).code == "OK"
    assert caplog.records == []


async def test_a_compressed_body_is_not_unpacked(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(form={"FlowId": "1"})
    got = await client.send(query, headers | {"content-encoding": "gzip"}, body=body)
    assert got.code == "OK"


async def test_pipelined_calls_are_answered_one_after_the_other(start: Any) -> None:
    client = await start()
    call = HEAD + b"Content-Length: 0\r\n\r\n"
    last = b"POST / HTTP/1.0\r\nHost: a\r\n\r\n"
    received = await answered(client.sandbox.port, call * 49 + last)
    assert received.count(b"IncompleteSignature") == 50
    assert [answered.number for answered in client.sandbox.ledger.calls] == list(range(1, 51))


@pytest.mark.parametrize("text", [b"?FlowId=%ff", b"?FlowId=1&FlowId=1", b"?%", b"?=&=", b"?;;;"])
async def test_any_query_gets_an_answer_in_json(start: Any, text: bytes) -> None:
    client = await start()
    received = await answered(client.sandbox.port, b"POST /" + text + b" HTTP/1.0\r\nHost: \xff\r\n\r\n")
    head, _, body = received.partition(b"\r\n\r\n")
    assert b" 400 " in head
    assert json.loads(body)["Code"] in {"InvalidParameter", "IncompleteSignature"}
