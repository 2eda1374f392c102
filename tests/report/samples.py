"""Histories of jobs, and a report with one: what the tests of the page and of its plot begin with."""

from collections.abc import Mapping
from datetime import UTC, datetime

from hypothesis import strategies as st

from flowreaper.model import Ending, Flow, State
from flowreaper.report.report import Commands, Report
from flowreaper.report.result_list import Kind, ResultList
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.overview import Overview
from flowreaper.store.store import Holder, Status

History = tuple[tuple[PastRun, ...], tuple[Minute, ...]]

BEGIN_MS = 1_764_000_000_000
HOUR_MS = 3_600_000
COMMANDS = Commands(
    digest="flowreaper results job.ckpt | sha256sum",
    list_all="flowreaper results -o results.jsonl job.ckpt",
    list_state={State.REFUSED: "flowreaper results --state refused job.ckpt"},
    list_remaining="flowreaper results --remaining job.ckpt",
    list_runs="flowreaper status --json job.ckpt",
)
CONFIRMED = Kind(State.DELETED, "OK", inferred=False, in_doubt=False)
PENDING = Kind(State.PENDING, "", inferred=False, in_doubt=False)


def run(number: int = 1, begin_ms: int = BEGIN_MS, took_ms: int = HOUR_MS, **fields: object) -> PastRun:
    """A run that ended; `fields` are what differs."""
    values: dict[str, object] = {
        "number": number,
        "started_at_ms": begin_ms,
        "seen_at_ms": begin_ms + took_ms,
        "ended_at_ms": begin_ms + took_ms,
        "ending": Ending.FINISHED,
        "version": "0.1.0",
        "host": "batch-1",
        "pid": 4711,
        "access_key": "LTAI****Key1",
        "rate": 5.0,
    }
    return PastRun(**(values | fields))  # type: ignore[arg-type]  # the names of its own fields


def minutes_of(past: PastRun, **fields: object) -> list[Minute]:
    """Every minute of a run, as it would have been written."""
    values: dict[str, object] = {"calls": 295, "deleted": 290, "throttled": 5, "permitted_per_s": 4.9}
    first, last = past.started_at_ms // 60_000, (past.seen_at_ms - 1) // 60_000
    return [
        Minute(run=past.number, at_s=60 * at, **(values | fields))  # type: ignore[arg-type]  # as above
        for at in range(first, last + 1)
    ]


def report(
    runs: tuple[PastRun, ...] = (),
    minutes: tuple[Minute, ...] = (),
    kinds: dict[Kind, int] | None = None,
    samples: Mapping[Kind, tuple[Flow, ...]] | None = None,
    *,
    live: bool = False,
    sandbox: bool = False,
    missing: str = "",
    checkpoint: str = "job.ckpt",
) -> Report:
    kinds = {CONFIRMED: 3} if kinds is None else kinds
    status = Status(
        endpoint="https://cams.example",
        sandbox=sandbox,
        access_key="LTAI****Key1",
        states={},
        inferred=0,
        in_doubt=0,
        codes={},
        live=live,
        holder=Holder(4711, "batch-1", datetime.fromtimestamp(BEGIN_MS // 1000, UTC)) if live else None,
    )
    return Report(
        checkpoint=checkpoint,
        made_at_ms=BEGIN_MS + 5 * HOUR_MS,
        version="0.1.0",
        overview=Overview(status=status, sources={"ids.txt": 3}, spaces={"": 3}, runs=runs, minutes=minutes),
        results=ResultList(
            sha256="ab" * 32, lines=sum(kinds.values()), bytes=999, kinds=kinds, samples=dict(samples or {})
        ),
        missing=missing,
        live=live,
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Runs one after another with pauses between them, of any length, some cut off, some suspended for a while."""
    begin = BEGIN_MS + draw(st.integers(0, 60_000))
    runs: list[PastRun] = []
    minutes: list[Minute] = []
    for number in range(1, draw(st.integers(1, 8)) + 1):
        took = draw(st.one_of(st.integers(0, 5000), st.integers(0, 10 * HOUR_MS)))
        past = run(number, begin, took, **draw(st.sampled_from([{}, {"ended_at_ms": None, "ending": None}])))
        runs.append(past)
        kept = draw(st.sampled_from([1, 1, 1, 7]))
        minutes += [
            minute
            for place, minute in enumerate(
                minutes_of(
                    past,
                    calls=draw(st.integers(0, 400)),
                    throttled=draw(st.integers(0, 100)),
                    permitted_per_s=draw(st.floats(0, 50)),
                    silent_s=draw(st.sampled_from([0.0, 0.0, 60.0])),
                )
            )
            if place % kept == 0
        ]
        begin += took + draw(st.one_of(st.integers(0, 5000), st.integers(0, 400 * HOUR_MS)))
    return tuple(runs), tuple(minutes)
