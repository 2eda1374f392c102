"""``flowreaper status``: how far a job is."""

import json
from pathlib import Path

import click

from flowreaper.cli.help import HelpCommand
from flowreaper.cli.options import checkpoint_argument, warn_of_what_is_missing
from flowreaper.escaping import printable
from flowreaper.model import State
from flowreaper.store.sqlite.reader import read_status
from flowreaper.store.store import Status

_CODES_SHOWN = 10


_EXAMPLES = ("flowreaper status ids.txt.ckpt", "flowreaper status --json ids.txt.ckpt | jq .states.refused")


@click.command("status", cls=HelpCommand, examples=_EXAMPLES)
@checkpoint_argument()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(checkpoint: Path, *, as_json: bool) -> None:
    """Count the flows of CHECKPOINT by state and by code, also while a run is going on."""
    status = read_status(checkpoint)
    warn_of_what_is_missing(checkpoint)
    click.echo(_as_json(status) if as_json else _as_table(checkpoint, status))


def _as_json(status: Status) -> str:
    return json.dumps(
        {
            "endpoint": status.endpoint,
            "sandbox": status.sandbox,
            "access_key": status.access_key,
            "total": sum(status.states.values()),
            "states": {state.value: status.states.get(state, 0) for state in State},
            "inferred": status.inferred,
            "in_doubt": status.in_doubt,
            "live": status.live,
            "run": status.run or None,
            "under_way": status.under_way,
            "codes": {state.value: codes for state, codes in status.codes.items() if state.final},
        }
    )


def _as_table(checkpoint: Path, status: Status) -> str:
    where = "the sandbox" if status.sandbox else f"{status.endpoint}, access key {status.access_key}"
    lines = [f"{printable(str(checkpoint))}: {printable(where)}"]
    if status.live:
        lines.append(f"a run is going on{f' ({status.run})' if status.run else ''}")
    for state in State:
        count = status.states.get(state, 0)
        if not count:
            continue
        note = f"  ({status.inferred:,} by inference)" if state is State.DELETED and status.inferred else ""
        if state is State.CLAIMED and status.under_way:
            note = "  (in progress)"
        lines.append(f"{state.value:>10} {count:>12,}{note}")
        codes = [item for item in status.codes[state].items() if item[0] not in ("", "OK")]
        lines += [f"{'':>10} {n:>12,}  {printable(code, 80)}" for code, n in codes[:_CODES_SHOWN]]
        if len(codes) > _CODES_SHOWN:
            lines.append(f"{'':>10} {'':>12}  and {len(codes) - _CODES_SHOWN:,} more codes")
    if status.in_doubt:
        lines.append(f"{'in doubt':>10} {status.in_doubt:>12,}  of the unfinished: a call had no answer")
    lines.append(f"{'total':>10} {sum(status.states.values()):>12,}")
    return "\n".join(lines)
