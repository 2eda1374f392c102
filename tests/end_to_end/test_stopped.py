"""A run that is stopped for longer than its timeout, or whose aiohttp is not the one that it needs."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT, Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

# Python runs a file of this name before anything else: the command as it would be with another aiohttp.
HOOK_NEVER_RUNS = """
import aiohttp
made = aiohttp.ClientSession.__init__
def make(self, *arguments, request_class=None, **options):
    made(self, *arguments, **options)
aiohttp.ClientSession.__init__ = make
"""
LIKE_AIOHTTP_4 = """
import aiohttp
aiohttp.ClientRequest._send = aiohttp.ClientRequest.send
del aiohttp.ClientRequest.send
"""


def test_answers_that_came_while_a_run_was_stopped_for_longer_than_its_timeout_are_read(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin("--latency", "0.4")
    flows = ids(150)
    command.write("flows.txt", *flows)
    words = ("delete", "--yes", "--rate", "100", "--timeout", "1", "--log-level", "debug", "flows.txt")
    with command.flowreaper(*words) as process:
        wait_for(lambda: len(service.called(flows)) > 60)
        process.send_signal(signal.SIGSTOP)
        # All that has left is answered by now, and all timeouts are over.
        time.sleep(2.5)
        process.send_signal(signal.SIGCONT)
        finished = ended(process)
    assert finished.status == 0
    assert "no answer within" not in finished.err
    assert "no connection" not in finished.err
    assert sorted(service.called(flows)) == sorted(flows)
    results = command.results("flows.txt.ckpt").values()
    assert {(r["state"].value, r["inferred"], r["in_doubt"]) for r in results} == {("deleted", False, False)}


def with_aiohttp(command: Command, folder: Path, program: str) -> Command:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program)
    return Command(command.folder, command.environment | {"PYTHONPATH": f"{folder}:{ROOT}"})


@pytest.mark.parametrize("trouble", ["", "reset-after:#1"])
def test_an_aiohttp_that_does_not_run_the_hook_ends_the_run_and_no_flow_is_taken_for_untouched(
    begin: Begin, ids: Ids, tmp_path: Path, trouble: str
) -> None:
    service, command = begin("--trouble", trouble)
    flows = ids(5)
    command.write("flows.txt", *flows)
    spoilt = with_aiohttp(command, tmp_path / "spoilt", HOOK_NEVER_RUNS)
    finished = spoilt.run("delete", "--yes", "flows.txt")
    assert finished.status == 3
    assert "does not report when a request was sent" in finished.err
    assert "install aiohttp>=3.10,<4" in finished.err
    called = service.called(flows)
    assert len(called) == 1
    record = command.results("flows.txt.ckpt")[called[0]]
    assert record["in_doubt"] or record["state"] == "deleted"
    # With an aiohttp in order the job goes on, and knows what it did.
    assert command.delete("flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 5}


def test_an_aiohttp_like_version_4_is_refused_before_any_call(begin: Begin, ids: Ids, tmp_path: Path) -> None:
    service, command = begin()
    flows = ids(2)
    spoilt = with_aiohttp(command, tmp_path / "spoilt", LIKE_AIOHTTP_4)
    finished = spoilt.run("delete", "--yes", "-c", "job.ckpt", "-", stdin="\n".join(flows))
    assert finished.status == 3
    assert "install aiohttp>=3.10,<4" in finished.err
    assert "defect" not in finished.err
    assert service.called(flows) == []
