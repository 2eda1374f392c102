"""``flowreaper plan``: what a plan names, and what became of it."""

import sys
from datetime import datetime
from pathlib import Path

import click

from flowreaper.cli.completion import complete_checkpoint
from flowreaper.cli.exit_status import PLANNING
from flowreaper.cli.flow_formats import Columns, FlowFormat, FlowRow, FlowWriter
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.new_file import new_file
from flowreaper.cli.suggestions import Choice
from flowreaper.escaping import printable

_EXAMPLES = (
    "flowreaper plan plan.json",
    "flowreaper plan --format csv plan.json > review.csv",
    "flowreaper plan --format jsonl plan.json | jq -r .FlowName",
)


@click.command("plan", cls=HelpCommand, examples=_EXAMPLES, statuses=PLANNING)
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "flow_format",
    type=Choice([f.value for f in FlowFormat if f is not FlowFormat.IDS]),
    default=FlowFormat.TABLE.value,
    show_default=True,
    metavar="FORMAT",
    help="table, below the plan's heading; csv, with a header; or jsonl.",
)
@click.option(
    "-c",
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    shell_complete=complete_checkpoint,
    help="The checkpoint of the plan's job.  [default: PLAN.ckpt]",
)
def command(plan: Path, flow_format: str, checkpoint: Path | None) -> None:
    """Show PLAN: its account, its rules, until when it can be begun, and what became of each of its flows.

    Where its job was begun, the flows have their state. A plan that was changed since it was made is refused.
    """
    from flowreaper.cli.planned import plan_checkpoint
    from flowreaper.cli.terminal.plan import describe_plan
    from flowreaper.job.plan_outcomes import count_outcomes, read_outcomes
    from flowreaper.job.plan_reader import read_plan

    path = checkpoint or plan_checkpoint(plan)
    with read_plan(plan) as read, new_file(None) as out:
        counts = count_outcomes(path, read.digest)
        outcomes = None if counts is None else read_outcomes(path)
        shape = FlowFormat(flow_format)
        if shape is FlowFormat.TABLE:
            job = None if counts is None else (path, counts)
            heading = describe_plan(printable(str(plan)), read.heading, read.digest, job, _local_time())
            out.write(f"{heading}\n\n".encode())
        columns = Columns(space=True, status=True, rule=True, state=outcomes is not None)
        writer = FlowWriter(out.write, shape, columns)
        for planned in read.flows():
            state = (outcomes.state_of(planned.flow) or "") if outcomes else ""
            writer.write(FlowRow(*planned, state=str(state)))
    sys.stdout.flush()


def _local_time() -> datetime:
    return datetime.now().astimezone()
