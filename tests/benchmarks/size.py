"""A million flows, and no flows at all: memory, disk, and how long until something happens."""

import contextlib
import signal
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flowreaper.model import Entry, Flow, Outcome, Reply, State
from flowreaper.store.sqlite.checkpoint import open_checkpoint
from flowreaper.store.store import Identity
from tests.benchmarks.arrivals import seen
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import Service, Usage, delete, run, sandbox, write_ids
from tests.end_to_end.command import FLOWREAPER

_MANY, _MANY_QUICKLY = 1_000_000, 250_000
_UNDONE = 10_000
_BATCH = 10_000
_FIRST = 10**15
_PACE_S = 6.0
_MASKED = "LTAI****0001"


def measure(*, quick: bool) -> list[Figure]:
    """Measure them one after another, each on a sandbox of its own."""
    figures = _start_up(3 if quick else 9)
    many = _MANY_QUICKLY if quick else _MANY
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = write_ids(folder / "ids.txt", many)
        figures += _reading(folder, ids, many)
        with sandbox("--latency", "0") as service:
            checkpoint = build(folder / "done.ckpt", service, many)
            size = checkpoint.stat().st_size / many
            usage, first_s, _ = _until(
                folder, ("-c", "done.ckpt", str(ids)), service, lambda: len(service.calls()) > 5
            )
        figures += [
            Figure(f"{many:,} ids, {many - _UNDONE:,} done: first call", first_s, "s", 1.5),
            Figure(f"{many:,} ids, {many - _UNDONE:,} done: peak memory of the run", usage.peak_mb, "MB", 90),
            Figure("checkpoint, bytes a finished flow", size, "B"),
            *_reports(folder, service, many),
        ]
    return figures


def build(path: Path, service: Service, many: int) -> Path:
    """Write a checkpoint of so many flows, all but the last 10,000 deleted."""
    checkpoint = open_checkpoint(
        path, Identity(service.environment["FLOWREAPER_ENDPOINT"], sandbox=False, access_key=_MASKED)
    )
    for start in range(0, many, _BATCH):
        flows = range(start, start + _BATCH)
        checkpoint.add([Entry(Flow(str(_FIRST + number)), "ids.txt", number + 1) for number in flows])
        if start < many - _UNDONE:
            checkpoint.write(
                [
                    Outcome(
                        claim,
                        State.DELETED,
                        inferred=False,
                        in_doubt=False,
                        attempts=1,
                        reply=Reply(200, "OK", "None", f"C9F0BA7B-7B1A-5DD5-9C95-{claim.row:012d}"),
                        finished_at_ms=1_700_000_000_000 + claim.row,
                    )
                    for claim in checkpoint.write([], new=_BATCH)
                ]
            )
    checkpoint.close()
    return path


def _reading(folder: Path, ids: Path, many: int) -> list[Figure]:
    def everything_read() -> bool:
        with contextlib.closing(sqlite3.connect(f"file:{folder}/ids.txt.ckpt?mode=ro", uri=True)) as db:
            (last,) = db.execute("SELECT max(id) FROM flow").fetchone()
        return bool(last == many)

    with sandbox("--window", "none", "--latency", "0.02") as service:
        usage, first_s, read_at = _until(folder, (str(ids),), service, everything_read)
        arrived = seen(service.calls())
    reading_s = read_at - arrived.times[0]
    calls = sum(at <= read_at for at in arrived.times)
    # From the first call on an even pace makes 1 + 5 calls a second.
    pace = (calls - 1) / (arrived.times[calls - 1] - arrived.times[0])
    return [
        Figure(f"{many:,} ids: first call", first_s, "s", 1.0),
        Figure(
            f"{many:,} ids: calls/s while the rest is read ({reading_s:.0f} s)",
            pace,
            "/s",
            4.95,
            at_least=True,
        ),
        Figure(f"{many:,} ids: peak memory", usage.peak_mb, "MB", 90),
    ]


def _until(
    folder: Path, arguments: tuple[str, ...], service: Service, holds: Callable[[], bool]
) -> tuple[Usage, float, float]:
    """Interrupt a run once `holds`; return also how long its first call took, and the moment."""
    moment = 0.0

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        nonlocal moment
        until = time.monotonic() + 120
        while not (service.calls() and holds()):
            if time.monotonic() > until:
                process.kill()
                raise RuntimeError("what was waited for did not come")
            time.sleep(0.1)
        moment = time.time()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)  # SIGINT is ignored where a script runs this with "&"

    usage = run(delete(*arguments), service.environment, folder, interrupt)
    return usage, service.calls()[0]["at_s"] - usage.started_at, moment


def _reports(folder: Path, service: Service, many: int) -> list[Figure]:
    words = (*FLOWREAPER, "status", "done.ckpt")
    status = statistics.median(run(words, service.environment, folder).wall_s for _ in range(3))
    listed = run((*FLOWREAPER, "results", "done.ckpt"), service.environment, folder)
    page = run((*FLOWREAPER, "report", "-o", "-", "done.ckpt"), service.environment, folder)
    return [
        Figure(f"{many:,} flows: status", status, "s", 0.5),
        Figure(f"{many:,} flows: results", many / listed.wall_s, "rows/s", 100_000, at_least=True),
        Figure(f"{many:,} flows: peak memory of results", listed.peak_mb, "MB", 90),
        Figure(f"{many:,} flows: report", page.wall_s, "s", 10),
        Figure(f"{many:,} flows: peak memory of report", page.peak_mb, "MB", 90),
    ]


def _start_up(times: int) -> list[Figure]:
    helps, firsts = [], []
    with tempfile.TemporaryDirectory() as name, sandbox("--window", "none", "--latency", "0") as service:
        folder = Path(name)
        ids = str(write_ids(folder / "ids.txt", 1))
        for _ in range(times):
            helps.append(run((*FLOWREAPER, "--help"), service.environment, folder).wall_s)
            (folder / "ids.txt.ckpt").unlink(missing_ok=True)
            usage = run(delete(ids), service.environment, folder)
            firsts.append(service.calls()[-1]["at_s"] - usage.started_at)
    return [
        Figure("start-up: --help", 1000 * statistics.median(helps), "ms", 60),
        Figure("start-up: first call of a small job", 1000 * statistics.median(firsts), "ms", 300),
    ]
