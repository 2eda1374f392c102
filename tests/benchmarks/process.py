"""Sandboxes and clients as processes of their own, and what one of them used.

A child's peak memory is at least what this process held when it was started (the kernel counts so): keep
this process small.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from tests.benchmarks.tls_sandbox import AUTHORITY
from tests.end_to_end.command import FLOWREAPER, ROOT, clean_environment

PEERS = (sys.executable, "-m", "tests.benchmarks.peers")
SENDS = (sys.executable, "-m", "tests.benchmarks.sends")


@dataclass(frozen=True)
class Usage:
    """What a process used. `started_at` is in seconds since the epoch."""

    started_at: float
    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Service:
    """A sandbox process: the environment that points a client at it."""

    environment: dict[str, str]

    def calls(self) -> list[dict[str, Any]]:
        """Return every call that arrived, in order."""
        opener = build_opener(ProxyHandler({}))
        with opener.open(f"{self.environment['FLOWREAPER_ENDPOINT']}/ledger", timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["calls"]
        return found


@contextlib.contextmanager
def sandbox(*options: str) -> Iterator[Service]:
    """Run ``flowreaper sandbox`` with these options."""
    with _serving((*FLOWREAPER, "sandbox", *options), {}) as service:
        yield service


@contextlib.contextmanager
def tls_sandbox(folder: Path) -> Iterator[Service]:
    """Run a sandbox without quota that speaks https."""
    words = (sys.executable, "-m", "tests.benchmarks.tls_sandbox", str(folder))
    with _serving(words, {"SSL_CERT_FILE": str(folder / AUTHORITY)}) as service:
        yield service


@contextlib.contextmanager
def answerer() -> Iterator[Service]:
    """Run a service that answers OK to everything, at next to no cost; it has no ledger."""
    with _serving((sys.executable, "-m", "tests.benchmarks.answerer"), {}) as service:
        yield service


@contextlib.contextmanager
def _serving(words: Sequence[str], extra: Mapping[str, str]) -> Iterator[Service]:
    # What is measured begins with the first deletion, and some of the servers know nothing else.
    environment = clean_environment(ROOT) | {"FLOWREAPER_DELETE_NO_IDENTITY": "1"}
    with subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        lines = [shlex.split(process.stdout.readline())[1].split("=", 1) for _ in range(3)]
        try:
            yield Service(environment | dict(lines) | dict(extra))
        finally:
            process.kill()


def run(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    meanwhile: Callable[[subprocess.Popen[bytes]], None] | None = None,
    *,
    one_core: bool = False,
) -> Usage:
    """Run a program to its end; `meanwhile` is called once it has started, and may end it.

    `one_core` keeps it on one core (on Linux).

    Raises:
        RuntimeError: it ended with an error; not where `meanwhile` was given.
    """
    with (folder / "stderr.txt").open("ab") as errors:
        began, started_at = time.perf_counter(), time.time()
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        if one_core and sys.platform == "linux":
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        if meanwhile:
            meanwhile(process)
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not meanwhile:
        raise RuntimeError(f"{' '.join(words)}: {(folder / 'stderr.txt').read_text()[-2000:]}")
    return Usage(started_at, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def delete(*options: str) -> tuple[str, ...]:
    """Return the words of a ``flowreaper delete`` that does not ask."""
    return (*FLOWREAPER, "delete", "--yes", "--log-level", "error", *options)


def write_ids(path: Path, count: int, first: int = 10**15) -> Path:
    """Write a file of so many ids."""
    with path.open("w", encoding="ascii") as out:
        out.writelines(f"{first + number}\n" for number in range(count))
    return path
