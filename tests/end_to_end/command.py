"""The real command and sandbox as processes: what the end-to-end tests hold in their hands."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import ProxyHandler, build_opener

from flowreaper import FlowreaperError, read_records, read_status

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
NOBODY = "http://127.0.0.1:9"
"""Where nothing listens: a test that forgets to name a sandbox for STS must not ask the real one."""

FLOWREAPER = (sys.executable, "-m", "flowreaper")

_PROXIES = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)


def clean_environment(home: Path) -> dict[str, str]:
    """Return this environment without anything that the command under test, or its interpreter, listens to.

    PYTHONUNBUFFERED, say, would hide what an ordinary user's Python does with what it could not write.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLOWREAPER_", "ALIBABA_", "PYTHON")) and not _PROXIES.fullmatch(name)
    }
    scripts = sysconfig.get_path("scripts")
    return kept | {
        "HOME": str(home),
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "TERM": "xterm",
        "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true",
        "FLOWREAPER_STS_ENDPOINT": NOBODY,
    }


def wait_for(holds: Callable[[], bool]) -> None:
    """Return when `holds`; fail when it does not for a long time."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "what was waited for did not come"
        time.sleep(0.01)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log events on stderr."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    @property
    def told(self) -> list[str]:
        """The lines on stderr that are for people."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    @property
    def resume(self) -> str:
        """The command to go on, as it was printed."""
        (command,) = (line.partition(": ")[2] for line in self.told if line.startswith("To go on"))
        return command

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout; every line must be one."""
        return [json.loads(line) for line in self.out.splitlines()]


class Process(subprocess.Popen[str]):
    """A process that a failing test leaves behind killed: one that is stopped (SIGSTOP) would be waited for."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()
        super().__exit__(kind, error, trace)


@dataclass
class Command:
    """Runs commands in a folder of their own, without a terminal."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *words: str, env: Mapping[str, str] | None = None, **how: Any) -> subprocess.Popen[str]:
        """Start a program; use it as a context manager."""
        defaults: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        return Process(
            words,
            cwd=self.folder,
            env=self.environment | dict(env or {}),
            start_new_session=True,
            text=True,
            **(defaults | how),
        )

    def flowreaper(self, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        """Start the command under test."""
        return self.start(*FLOWREAPER, *arguments, **how)

    def run(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> Finished:
        """Run the command under test to its end."""
        return self.finish(*FLOWREAPER, *arguments, stdin=stdin, env=env)

    def shell(self, line: str) -> Finished:
        """Run a line as if it was typed into a shell."""
        return self.finish("sh", "-c", line)

    def finish(self, *words: str, stdin: str | None = None, env: Mapping[str, str] | None = None) -> Finished:
        """Run a program to its end."""
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        with self.start(*words, env=env, stdin=source) as process:
            return ended(process, stdin)

    def delete(self, *arguments: str, **how: Any) -> Finished:
        """Run ``flowreaper delete --yes`` at a high rate."""
        return self.run("delete", "--yes", "--rate", "500", *arguments, **how)

    def states(self, checkpoint: str) -> dict[str, int]:
        """Return how many flows a checkpoint holds in each state that occurs."""
        return {state.value: count for state, count in read_status(self.folder / checkpoint).states.items()}

    def results(self, checkpoint: str) -> dict[str, dict[str, Any]]:
        """Return a checkpoint's records by flow id, each of which must be there once."""
        found = [record._asdict() for record in read_records(self.folder / checkpoint)]
        records = {record["flow_id"]: record for record in found}
        assert len(records) == len(found)
        return records

    def write(self, name: str, *lines: str) -> str:
        """Write a file of lines and return its name."""
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        return name


def ended(process: subprocess.Popen[str], stdin: str | None = None) -> Finished:
    """Wait for a process; whatever happens, it shows no traceback."""
    try:
        out, err = process.communicate(stdin, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finished = Finished(process.returncode, out or "", err or "")
    assert "Traceback" not in finished.err
    return finished


def wait_until_deleting(command: Command, checkpoint: str = "flows.txt.ckpt") -> None:
    """Wait until a run has deleted a flow, by its checkpoint."""

    def deletes() -> bool:
        with contextlib.suppress(FlowreaperError):  # not begun yet
            return "deleted" in command.states(checkpoint)
        return False

    wait_for(deletes)


@dataclass
class Service:
    """A ``flowreaper sandbox`` process; `told` is what it said on stderr when it began."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    told: str
    arrived: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.environment["FLOWREAPER_ENDPOINT"]

    def ledger(self, since: int = 0, action: str = "DeleteFlow") -> list[dict[str, Any]]:
        """Return every call of an operation that it met after call number `since`."""
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{self.url}/ledger?since={since}&action={action}", timeout=PATIENCE_S) as answer:
            calls: list[dict[str, Any]] = json.load(answer)["calls"]
        return calls

    def called(self, ids: list[str]) -> list[str]:
        """Return the calls for these flows, in the order of arrival."""
        self.arrived += [call["flow_id"] for call in self.ledger(since=len(self.arrived))]
        wanted = set(ids)
        return [flow for flow in self.arrived if flow in wanted]


@contextlib.contextmanager
def serve(command: Command, *options: str) -> Iterator[Service]:
    """Run a sandbox without quota and latency, unless `options` say otherwise."""
    with command.flowreaper("sandbox", "--window", "none", "--latency", "0", *options) as process:
        try:
            yield Service(process, *_greeting(process))
        finally:
            process.terminate()
            ended(process)


def _greeting(process: subprocess.Popen[str]) -> tuple[dict[str, str], str]:
    assert process.stdout
    assert process.stderr
    lines = [process.stdout.readline() for _ in range(3)]
    assert all(lines), process.stderr.read()
    words = [shlex.split(line) for line in lines]
    assert all(word[0] == "export" for word in words)
    told = ""
    while "Ctrl-C" not in told:
        line = process.stderr.readline()
        assert line, told
        told += line
    environment = dict(word[1].split("=", 1) for word in words)
    return environment | {"FLOWREAPER_STS_ENDPOINT": environment["FLOWREAPER_ENDPOINT"]}, told
