"""Secrets and files: what a run leaves behind is private, and is put over nothing that was there."""

import asyncio
import shlex
import stat
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowreaper.client import Client
from flowreaper.credentials import StaticSource
from flowreaper.model import Credentials, Flow
from flowreaper.settings import parse_endpoint
from tests.end_to_end.command import FLOWREAPER, Command, Service, ended, wait_for

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
