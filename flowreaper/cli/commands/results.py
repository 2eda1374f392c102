"""``flowreaper results``: what is recorded of each flow."""

from collections.abc import Iterator
from pathlib import Path

import click

from flowreaper.cli.new_file import check_new, new_file
from flowreaper.cli.options import checkpoint_argument, state_option, warn_of_what_is_missing
from flowreaper.cli.streams import write_line
from flowreaper.errors import ConfigurationError
from flowreaper.model import Record, State
from flowreaper.sink.formats import RecordFormat, header_for, writer_for
from flowreaper.store.sqlite.reader import has_space, read_records

_CHUNK = 256 * 1024


@click.command("results")
@checkpoint_argument()
@state_option("state", [s.value for s in State], "Only flows in this state; repeatable.")
@click.option(
    "--format",
    "record_format",
    type=click.Choice([f.value for f in RecordFormat]),
    default=RecordFormat.JSONL.value,
    show_default=True,
    help="JSON lines, CSV with a header, or the flow ids alone (refused where a flow has a space).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this new file (mode 0600) instead of standard output (-).",
)
def command(checkpoint: Path, state: tuple[str, ...], record_format: str, output: Path | None) -> None:
    """Export the outcomes in CHECKPOINT, one record per flow, in the order of reading, invalid lines last.

    Also while a run is going on.

    \b
      flowreaper results ids.txt.ckpt
      flowreaper results --state refused --format csv -o refused.csv ids.txt.ckpt
      flowreaper results --state gave_up ids.txt.ckpt | flowreaper delete -c again.ckpt -
    """
    check_new(output, checkpoint)
    shape = RecordFormat(record_format)
    states = [State(s) for s in state]
    records = read_records(checkpoint, states)
    if shape is RecordFormat.IDS:
        if has_space(checkpoint, states):
            raise _needs_spaces()
        records = _with_ids(records)
    write = writer_for(shape)
    warn_of_what_is_missing(checkpoint)
    first = next(records, None)  # a checkpoint that cannot be read must not leave an empty file behind
    with new_file(output) as out:
        gathered = header_for(shape)
        if first:
            gathered += write(first)
        parts = [gathered]
        size = 0
        for record in records:
            parts.append(write(record))
            size += len(parts[-1])
            if size >= _CHUNK:
                out.write("".join(parts).encode())
                parts, size = [], 0
        out.write("".join(parts).encode())


def _with_ids(records: Iterator[Record]) -> Iterator[Record]:
    """Leave out, and count on standard error, the invalid lines: a line that is no flow id must never be read as one."""
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
