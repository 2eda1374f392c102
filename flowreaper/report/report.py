"""What a job did, gathered from its checkpoint: the facts of the page."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flowreaper.model import Record, State
from flowreaper.report.result_list import ResultList, read_list
from flowreaper.store.overview import Overview
from flowreaper.store.sqlite.file_guard import has_run
from flowreaper.store.sqlite.reader import read_overview, read_records, what_is_missing
from flowreaper.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Commands that the page names, ready for a shell: the core knows none.

    `digest` makes the digest of the full list again, `list_all`, `list_state` and `list_remaining` write records,
    `list_runs` all runs.
    """

    digest: str
    list_all: str
    list_state: Mapping[State, str]
    list_runs: str
    list_remaining: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a job did. `missing` is a sentence about what the checkpoint lacks, empty where it is whole.

    All that is counted by state and code is in `results`, which was read at one moment. `overview` was read a moment
    before; while a run goes on (`live`), its runs and minutes may lag behind by some seconds.
    """

    checkpoint: str
    made_at_ms: int
    version: str
    overview: Overview
    results: ResultList
    missing: str = ""
    live: bool = False


def gather(
    checkpoint: str | os.PathLike[str], write: Callable[[Record], str], now_ms: Callable[[], int]
) -> Report:
    """Read a checkpoint, also while a run goes on; a million flows take some seconds, in bounded memory.

    `write` writes a record as the list has it, whose digest is made.

    Raises:
        ConfigurationError: there is no such file, or it is no checkpoint.
        CheckpointError: it cannot be read.
    """
    path = Path(checkpoint)
    missing = what_is_missing(path)
    overview = read_overview(path)
    made_at_ms = now_ms()
    results = read_list(read_records(path), write)
    return Report(
        checkpoint=os.fspath(checkpoint),
        made_at_ms=made_at_ms,
        version=__version__,
        overview=overview,
        results=results,
        missing=missing,
        live=overview.status.live or has_run(path),  # a run may have begun meanwhile
    )
