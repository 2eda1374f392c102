"""Secrets and files: what a run leaves behind is private, and is put over nothing that was there."""

import asyncio
import base64
import contextlib
import json
import re
import shlex
import socketserver
import stat
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flowreaper.client.client import Client
from flowreaper.client.credentials import StaticSource
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.model import Credentials, Flow
from tests.end_to_end.command import FLOWREAPER, Command, Finished, Service, ended, wait_for

Ids = Callable[[int], list[str]]

SECRET, TOKEN = "do-not-show-this-secret", "do-not-show-this-token"


def test_what_ps_shows_of_a_run_holds_no_secret(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(1)
    with command.flowreaper("delete", "-y", "-c", "job.ckpt", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(f"{flows[0]}\n")
        process.stdin.flush()
        wait_for(lambda: service.called(flows) == flows)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert ended(process).status == 0
    assert b"delete\0-y" in shown
    assert service.environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"].encode() not in shown


def _breaks_before_it_signs(_client: Any) -> Flow:
    return Flow("\ud800")


def _breaks_with_the_date(client: Any) -> Flow:
    client._clock = lambda: float("inf")
    return Flow("1")


def _breaks_when_it_sends(client: Any) -> Flow:
    client._session.post = int  # fails without a frame of its own
    return Flow("1")


@pytest.mark.parametrize("breaks", [_breaks_before_it_signs, _breaks_with_the_date, _breaks_when_it_sends])
async def test_a_traceback_with_the_locals_of_a_defect_holds_no_secret(breaks: Callable[[Any], Flow]) -> None:
    source = StaticSource(Credentials("LTAI-some-access-key", SECRET, TOKEN))
    async with Client(parse_endpoint("http://127.0.0.1:9"), source, timeout_s=1, connections=1) as client:
        flow = breaks(client)
        with pytest.raises((TypeError, ValueError, OverflowError)) as caught:
            await asyncio.wait_for(client.send(flow), 5)
    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "credentials = Credentials(LTAI****-key)" in shown
    assert SECRET not in shown
    assert TOKEN not in shown
    assert "Signature=" not in shown


def test_everything_that_a_run_makes_is_private_whatever_the_umask(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(2))
    line = shlex.join([*FLOWREAPER, "delete", "-y", "--results", "out.jsonl", "flows.txt"])
    results = shlex.join([*FLOWREAPER, "results", "-o", "all.jsonl", "flows.txt.ckpt"])
    assert command.shell(f"umask 000; {line} && {results}").status == 0
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in command.folder.iterdir()}
    del made["flows.txt"]
    assert made == dict.fromkeys(["flows.txt.ckpt", "out.jsonl", "all.jsonl"], 0o600)


@pytest.mark.parametrize("planted", ["flows.txt.ckpt", "flows.txt.ckpt-wal", "out.jsonl", "all.jsonl"])
def test_a_planted_link_is_not_followed(command: Command, ids: Ids, planted: str) -> None:
    command.write("flows.txt", *ids(1))
    target = command.folder / "target"
    target.write_text("mine")
    (command.folder / planted).symlink_to(target)
    finished = command.delete("--results", "out.jsonl", "flows.txt")
    if planted == "all.jsonl":
        assert finished.status == 0
        finished = command.run("results", "-o", "all.jsonl", "flows.txt.ckpt")
    assert finished.status in (2, 3)
    assert planted in finished.err
    assert target.read_text() == "mine"
    assert (command.folder / planted).readlink() == target


# What a server, a proxy or a command says back may hold our own secrets.

MARK = "SECRETMARK"


@contextlib.contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Answer each request with what `answer` makes of its head, on a free port of this machine; yield the port."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                head += line
            self.wfile.write(answer(head))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)


def everything_of(command: Command, finished: Finished) -> bytes:
    """Return all that a run said and left in its folder."""
    files = b"".join(path.read_bytes() for path in command.folder.rglob("*") if path.is_file())
    return finished.out.encode() + finished.err.encode() + files


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            http(f'{{"Code":"Success","AccessKeyId":"{MARK}","AccessKeySecret":"{MARK}"}}'.encode()),
            "its answer lacks the key, the token or the time of expiry",
        ),
        (
            http(f'{{"code":"Success","accessKeyId":"{MARK}","accessKeySecret":"{MARK}"}}'.encode()),
            "its answer lacks the key, the token or the time of expiry",
        ),
        (http(MARK.encode(), 500), "the answer was HTTP 500"),
        (http(MARK.encode()), "its answer or file is no JSON text"),
        (b"", "the connection failed"),
    ],
)
def test_a_credentials_uri_that_fails_is_told_without_its_words(
    bare: Command, log_format: str, answer: bytes, says: str
) -> None:
    with answering(lambda _: answer) as port:
        environment = {
            "ALIBABA_CLOUD_CREDENTIALS_URI": f"http://127.0.0.1:{port}/{MARK}?token={MARK}",
            "DEBUG": "sdk",  # makes the vendor's code print whole requests
        }
        finished = bare.run(
            "delete", "-y", "--log-level", "debug", "--log-format", log_format, stdin="1", env=environment
        )
    assert finished.status == 3
    assert f"the URI in ALIBABA_CLOUD_CREDENTIALS_URI: {says}" in finished.err
    assert MARK.encode() not in everything_of(bare, finished)


def test_a_helper_of_a_profile_that_fails_is_told_without_what_it_printed(bare: Command) -> None:
    helper = bare.write("helper.sh", f"echo {MARK}; echo {MARK} >&2; exit 7")
    (bare.folder / ".aliyun").mkdir()
    profile = {"name": "work", "mode": "External", "process_command": f"sh {helper} {MARK}"}
    bare.write(".aliyun/config.json", json.dumps({"current": "work", "profiles": [profile]}))
    finished = bare.run("delete", "-y", "--profile", "work", "--log-level", "debug", stdin="1")
    assert finished.status == 3
    assert (
        "profile 'work' (External) of ~/.aliyun/config.json: its command ended with exit status 7"
        in finished.err
    )
    assert MARK not in finished.err + finished.out


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("access_key_secret", 12345678, "access_key_secret is a number"),
        ("sts_token", [MARK], "sts_token is a list"),
    ],
)
def test_a_key_of_a_profile_that_is_no_text_is_a_clear_error(
    bare: Command, field: str, value: object, says: str
) -> None:
    key = {"access_key_id": "some-key", "access_key_secret": MARK, "sts_token": MARK}
    profile = {"name": "work", "mode": "StsToken", **key, field: value}
    (bare.folder / ".aliyun").mkdir()
    bare.write(".aliyun/config.json", json.dumps({"current": "work", "profiles": [profile]}))
    finished = bare.run("delete", "-y", stdin="1")
    assert finished.status == 3
    assert f"{says}, not text: put it into quotes" in finished.err
    assert "defect" not in finished.err
    assert not any(secret in finished.err for secret in (MARK, "12345678"))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            lambda head: b"HTTP/1.1 407 %b\r\n\r\n" % head.replace(b"\r\n", b" "),
            "the proxy answered HTTP 407",
        ),
        (lambda head: b"HTTP/1.1 %b\r\n\r\n" % head.replace(b"\r\n", b" "), "the answer is not valid HTTP"),
        pytest.param(lambda head: head + b"\r\n", "the answer is not valid HTTP", marks=pytest.mark.long),
        pytest.param(
            lambda head: b"HTTP/1.1 200 OK\r\nContent-Length: 9\x00\r\n%b\r\n" % head,
            "the answer is not valid HTTP",
            marks=pytest.mark.long,
        ),
        (lambda head: b"HTTP/1.1 407 OK\r\n%b" % head.partition(b"\n")[2], "the connection was closed"),
    ],
)
def test_a_proxy_that_echoes_the_request_shows_no_password(
    bare: Command, answer: Callable[[bytes], bytes], says: str
) -> None:
    key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "some-access-key", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}
    with answering(answer) as port:
        proxy = {"HTTPS_PROXY": f"http://someone:{MARK}@127.0.0.1:{port}"}
        where = ("--endpoint", "cams.example.test", "--no-identity")
        limits = ("--outage-limit", "0.1", "--log-level", "debug", *where)
        finished = bare.run("delete", "-y", "-c", "job.ckpt", *limits, "-", stdin="1", env=key | proxy)
    assert finished.status == 3
    assert f"no connection: {says}" in finished.err
    everything = everything_of(bare, finished)
    assert MARK.encode() not in everything
    assert base64.b64encode(f"someone:{MARK}".encode()) not in everything
    assert b"Proxy-Authorization" not in everything
    assert bare.states("job.ckpt") == {"pending": 1}


def _quoted(head: bytes) -> bytes:
    return json.dumps({"Code": "Odd.Answer", "Message": head.decode(), "RequestId": "R"}).encode()


@pytest.mark.parametrize(
    "answer",
    [
        http,
        lambda head: http(head, 502),
        lambda head: http(_quoted(head), 400),
        lambda head: http(_quoted(head).replace(b"/", b"\\/")[:-1]),
        lambda head: http(head)[:-40],
        lambda head: http(head[head.lower().index(b"x-acs-security-token") :] * 3),
        lambda head: b"HTTP/1.1 200 OK\r\n" + head,
        lambda head: b"HTTP/1.1 %b\r\n\r\n" % head.replace(b"\r\n", b" "),
    ],
)
@pytest.mark.parametrize("asked", ["the service", "STS"])
def test_a_server_that_echoes_the_request_gets_neither_token_nor_signature_into_any_record(
    bare: Command, answer: Callable[[bytes], bytes], asked: str
) -> None:
    signatures: list[bytes] = []
    token = f"CAIS{MARK}/+{'0123456789abcdefghijklmnopqrstuvwxyz' * 20}=="
    key_id = "STS.access-key-of-a-role"
    key = {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET,
        "ALIBABA_CLOUD_SECURITY_TOKEN": token,
    }

    def reply(head: bytes) -> bytes:
        signatures.extend(re.findall(rb"Signature=([0-9a-f]{64})", head))
        return answer(head)

    with answering(reply) as port:
        end = ("--outage-limit", "0.1", "--max-attempts", "1", "--log-level", "debug", "--results", "-")
        url = f"http://127.0.0.1:{port}"
        identity = ("--no-identity",) if asked == "the service" else ("--sts-endpoint", url)
        where = ("--endpoint", url, *identity, "-c", "job.ckpt")
        finished = bare.run("delete", "-y", *where, *end, "-", stdin="1", env=key)
    assert signatures
    everything = everything_of(bare, finished)
    for secret in (token, token[5:25], MARK, key_id, *(signature.decode() for signature in signatures)):
        assert secret.encode() not in everything
        assert secret[:16].encode() not in everything
