"""Two runs of one account at the same time, on one machine."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from tests.end_to_end.command import PATIENCE_S, Command, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

# The runs of other tests share the machine's own folder.
_WITH_FOLDER = (
    "import sys; from pathlib import Path; from flowreaper.job import lane; from flowreaper.cli import main\n"
    "folder = Path(sys.argv.pop(1)); lane.shared_folder = lambda: folder; main()\n"
)


parts_are_known = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere a run that cannot share sends nothing"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "turns"


@contextlib.contextmanager
def two_runs(
    command: Command, folder: Path, rate: int, ids: list[str]
) -> Iterator[list[subprocess.Popen[str]]]:
    """Run the command twice at the same time, for half of the ids each."""
    with contextlib.ExitStack() as runs:
        yield [
            runs.enter_context(
                command.start(
                    *(sys.executable, "-c", _WITH_FOLDER, str(folder)),
                    *("delete", "--yes", "--rate", str(rate)),
                    command.write(f"{half}.txt", *ids[half::2]),
                )
            )
            for half in (0, 1)
        ]


def most_together(times: list[float]) -> int:
    """Return how many arrived in a second, less what a busy machine may add to the way of a call."""
    return max(sum(1 for other in times if 0 <= other - at < 0.9) for at in times)


def arrivals(service: Service) -> list[float]:
    return sorted(call["at_s"] for call in service.ledger())


def test_two_runs_share_the_pace_and_are_not_throttled(begin: Begin, ids: Ids) -> None:
    # Each alone keeps 20/s; both at that pace would be refused a quarter of their calls.
    service, command = begin("--window", "sliding", "--rate", "30")
    options = ("delete", "--yes", "--rate", "20")
    command.write("one.txt", *ids(40))
    command.write("other.txt", *ids(40))
    with (
        command.flowreaper(*options, "one.txt") as one,
        command.flowreaper(*options, "other.txt") as other,
    ):
        told = [process.communicate(timeout=60)[1] for process in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0]
    assert all(text.count("Another run of this account on this machine") == 1 for text in told)
    codes = [call["code"] for call in service.ledger()]
    assert codes == ["OK"] * 80


@pytest.mark.long
@parts_are_known
def test_two_runs_keep_the_pace_while_somebody_holds_the_lock_of_their_file(
    begin: Begin, ids: Ids, folder: Path
) -> None:
    service, command = begin()
    folder.mkdir(mode=0o700)
    with (folder / "turns.json").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with two_runs(command, folder, 5, ids(40)) as runs:
            # By their parts alone, both.
            wait_for(lambda: len(service.ledger()) >= 15)
            fcntl.flock(held, fcntl.LOCK_UN)
            found = [ended(run) for run in runs]
    assert [run.status for run in found] == [0, 0]
    times = arrivals(service)
    assert len(times) == 40
    assert most_together(times) <= 5
    assert all(run.err.count("The pace cannot be shared") == 1 for run in found)
    assert all(run.err.count("The pace is shared") == 1 for run in found)


@pytest.mark.long
@parts_are_known
def test_two_runs_keep_the_pace_while_their_folder_vanishes_and_cannot_be_made_again(
    begin: Begin, ids: Ids, folder: Path
) -> None:
    service, command = begin()
    with two_runs(command, folder, 20, ids(160)) as runs:
        wait_for(lambda: len(service.ledger()) >= 30)
        shutil.rmtree(folder)
        wait_for(lambda: len(service.ledger()) >= 70)
        shutil.rmtree(folder)
        with contextlib.suppress(FileExistsError):  # a run was faster
            folder.touch(exist_ok=False)
        wait_for(lambda: len(service.ledger()) >= 110)
        if folder.is_file():
            folder.unlink()
        found = [ended(run) for run in runs]
    assert [run.status for run in found] == [0, 0]
    times = arrivals(service)
    assert len(times) == 160
    assert most_together(times) <= 20


class Relay:
    """Passes connections on to a port; those that came while it was `closed` wait until it `opens`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.closed = True
        self.opens = asyncio.Event()
        self.waiting = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.closed:
            self.waiting += 1
            await self.opens.wait()
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(OSError):
            await asyncio.gather(self.pump(reader, server_writer), self.pump(server_reader, writer))

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        finally:
            writer.close()


async def test_calls_of_a_run_that_was_suspended_while_they_waited_for_a_connection_do_not_join_those_of_another(
    bare: Command, ids: Ids
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(bare.folder / "ca.pem"))
    suspended_ids, other_ids = ids(15), ids(40)
    bare.write("suspended.txt", *suspended_ids)
    bare.write("other.txt", *other_ids)
    async with Sandbox(SandboxOptions(window="none", latency_s=0), ssl_context=context) as sandbox:
        relay = Relay(int(sandbox.url.rpartition(":")[2]))
        server = await asyncio.start_server(relay.connected, "127.0.0.1", 0)
        async with server:
            command = Command(
                bare.folder,
                bare.environment
                | {
                    "FLOWREAPER_DELETE_NO_IDENTITY": "1",
                    "FLOWREAPER_ENDPOINT": f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}",
                    "ALIBABA_CLOUD_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
                    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CREDENTIALS.access_key_secret,
                    "SSL_CERT_FILE": str(bare.folder / "ca.pem"),
                },
            )
            with command.flowreaper("delete", "--yes", "suspended.txt") as suspended:
                await hold(lambda: relay.waiting == 5)
                os.kill(suspended.pid, signal.SIGSTOP)
                relay.closed = False
                with command.flowreaper("delete", "--yes", "other.txt") as other:
                    # The suspended one counts as gone by now: the other has the whole pace.
                    await hold(lambda: sandbox.ledger.total >= 15)
                    relay.opens.set()
                    os.kill(suspended.pid, signal.SIGCONT)
                    found = [await asyncio.to_thread(ended, run) for run in (suspended, other)]
        times = sorted(call.at_s for call in sandbox.ledger.page(0, 1000))
    assert [run.status for run in found] == [0, 0]
    assert bare.states("suspended.txt.ckpt") == {"deleted": 15}
    assert len(times) == 55
    assert most_together(times) <= 5
    records = [*command.results("suspended.txt.ckpt").values()]
    assert {record["attempts"] for record in records} == {1}


async def hold(holds: Callable[[], bool]) -> None:
    """Return when `holds`."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)
