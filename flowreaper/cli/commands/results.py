"""``flowreaper results``: what is recorded of each flow."""

import contextlib
import itertools
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from flowreaper.cli.completion import complete_code
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.new_file import check_new, new_file
from flowreaper.cli.options import checkpoint_argument, state_option, warn_of_what_is_missing
from flowreaper.cli.spool import Spool
from flowreaper.cli.streams import write_line
from flowreaper.cli.suggestions import Choice
from flowreaper.cli.times import parse_since
from flowreaper.cli.unmatched import NONE, Holdings, notes
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.model import Record, State
from flowreaper.sink.formats import RecordFormat, header_for, writer_for
from flowreaper.store.selection import Selection
from flowreaper.store.sqlite.reader import (
    has_space,
    outcomes_after,
    read_overview,
    read_selected,
    read_status,
)

_CHUNK = 256 * 1024


_EXAMPLES = (
    "flowreaper results ids.txt.ckpt",
    "flowreaper results --state refused --code Flow.Locked ids.txt.ckpt",
    "flowreaper results --since 2h --format spreadsheet -o done.csv ids.txt.ckpt",
    "flowreaper results --state gave_up a.ckpt | flowreaper delete -c new.ckpt -",
)
_GROUPS = {"What": ("state", "code", "since", "space", "remaining"), "Output": ("record_format", "output")}


@click.command("results", cls=HelpCommand, groups=_GROUPS, examples=_EXAMPLES)
@checkpoint_argument()
@state_option("state", [s.value for s in State], f"Only flows in this state: {', '.join(State)}. Repeatable.")
@click.option(
    "--code",
    multiple=True,
    metavar="CODE",
    shell_complete=complete_code,
    help="Only flows that ended with this code, - for those without one. Repeatable.",
)
@click.option(
    "--since",
    metavar="WHEN",
    help="Only what ended at this time or later: 2026-05-04, 2026-05-04T22:30 (local, unless it ends with Z or an"
    " offset), or a span back from this moment: 30m, 2h, 7d.",
)
@click.option(
    "--space",
    multiple=True,
    metavar="ID",
    help="Only flows of this space (CustSpaceId), - for the account's own. Repeatable.",
)
@click.option(
    "--remaining",
    is_flag=True,
    help="Only flows recorded as deleted or absent that `flowreaper verify` found there all the same.",
)
@click.option(
    "--format",
    "record_format",
    type=Choice([f.value for f in RecordFormat]),
    default=RecordFormat.JSONL.value,
    show_default=True,
    metavar="FORMAT",
    help="jsonl; csv, with a header; spreadsheet: CSV in which Excel and LibreOffice keep every digit of an id; or ids"
    " alone (refused where a flow has a space).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this new file (mode 0600) instead of standard output (-).",
)
def command(
    *,
    checkpoint: Path,
    state: tuple[str, ...],
    code: tuple[str, ...],
    since: str | None,
    space: tuple[str, ...],
    remaining: bool,
    record_format: str,
    output: Path | None,
) -> None:
    """Export the outcomes in CHECKPOINT, one record per flow, in the order of reading, invalid lines last.

    Also while a run is going on. A record must satisfy each option that is given, with any of its values. Invalid lines
    have neither code nor space: --code and --space leave them out.
    """
    check_new(output, checkpoint)
    shape = RecordFormat(record_format)
    wanted = Selection(
        tuple(State(s) for s in state),
        _values("--code", code),
        _values("--space", space),
        None if since is None else parse_since(since, "--since", datetime.now(UTC)),
        remaining,
    )
    # Closed in the end, whatever happens: else it would hold the checkpoint until somebody collects it.
    with contextlib.closing(read_selected(checkpoint, wanted)) as selected:
        first = next(selected, None)  # a checkpoint that cannot be read must not leave an empty file behind
        records: Iterator[Record] = itertools.chain([first] if first else [], selected)
        if shape is RecordFormat.IDS:
            if has_space(checkpoint, wanted):
                raise _needs_spaces()
            records = _with_ids(records)
        warn_of_what_is_missing(checkpoint)
        with new_file(output) as out:
            if _may_wait(out):
                with Spool(out) as spool:
                    _write(spool.write, shape, records)
            else:
                _write(out.write, shape, records)
    for note in _notes(checkpoint, wanted, found=first is not None):
        write_line(f"Note: {note}")


def _values(option: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was given, "" for none; an empty word, say of an unset variable, must not mean the account's own."""
    if "" in given:
        raise ConfigurationError(f"{option} is empty: to ask for flows without one, write {option} {NONE}")
    return tuple("" if value == NONE else value for value in given)


def _notes(checkpoint: Path, wanted: Selection, *, found: bool) -> list[str]:
    if found and not (wanted.codes or wanted.spaces):
        return []
    spaces = read_overview(checkpoint).spaces if wanted.spaces else {}  # slower than the status
    newest_ms = 0 if found or wanted.since_ms is None else outcomes_after(checkpoint, 0).newest_ms
    holds = Holdings(printable(str(checkpoint)), read_status(checkpoint), spaces, newest_ms)
    return notes(wanted, holds, found=found)


def _may_wait(out: BinaryIO) -> bool:
    """Return whether a write may have to wait for a reader: for a pipe or a terminal, not for a file."""
    try:
        return not stat.S_ISREG(os.fstat(out.fileno()).st_mode)
    except (OSError, ValueError):  # no descriptor
        return False


def _write(out: Callable[[bytes], object], shape: RecordFormat, records: Iterator[Record]) -> None:
    write = writer_for(shape)
    parts, size = [header_for(shape)], 0
    for record in records:
        parts.append(write(record))
        size += len(parts[-1])
        if size >= _CHUNK:
            out("".join(parts).encode())
            parts, size = [], 0
    out("".join(parts).encode())


def _with_ids(records: Iterator[Record]) -> Iterator[Record]:
    """Leave out the invalid lines, counted on standard error: what is no flow id must never be read as one."""
    invalid = 0
    for record in records:
        if record.cust_space_id:  # read by a run that goes on meanwhile
            raise _needs_spaces()
        if record.state is State.INVALID:
            invalid += 1
        else:
            yield record
    if invalid:
        many = invalid != 1
        write_line(
            f"{invalid:,} invalid line{'s are' if many else ' is'} left out: no flow id is in"
            f" {'them' if many else 'it'}"
        )


def _needs_spaces() -> ConfigurationError:
    return ConfigurationError(
        "--format ids would lose the space (cust_space_id) of some of these flows, and the account's own flows of"
        " the same number would be meant: use --format jsonl, which `flowreaper delete -` reads"
    )
