"""``flowreaper verify``: whether what CHECKPOINT records as deleted is gone."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.exit_status import VERIFYING
from flowreaper.cli.help import HelpCommand
from flowreaper.cli.options import checkpoint_argument
from flowreaper.cli.service_options import reading_options, service_settings

_EXAMPLES = (
    "flowreaper verify ids.txt.ckpt                       look at each flow",
    "flowreaper verify --sample 500 ids.txt.ckpt          at 500 of them",
    "flowreaper verify --by-listing ids.txt.ckpt          list each space once",
    "flowreaper verify --combined signs.txt ids.txt.ckpt",
)
_GROUPS = {
    "What": ("sample", "seed", "by_listing", "treat"),
    "Output": ("combined", "as_json"),
    "Safety": ("expect_account", "no_identity"),
    "Service": ("endpoint", "sts_endpoint", "region", "profile", "read_rate", "timeout", "outage_limit"),
}
_MOST_SEEDS = 10**6


@click.command("verify", cls=HelpCommand, groups=_GROUPS, examples=_EXAMPLES, statuses=VERIFYING)
@checkpoint_argument()
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Check N deleted or absent flows, spread over the whole job, and those in doubt.  [default: all]",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", help="Take the sample that this number gave before."
)
@click.option(
    "--by-listing",
    is_flag=True,
    help="List each space once (ListFlow), and look only at those of these flows that it shows, and at those in doubt. Nothing else may delete"
    " flows of these spaces meanwhile: a listing then skips some.",
)
@click.option(
    "--treat",
    multiple=True,
    metavar="CODE=CLASS",
    help="What an error code of GetFlow means: absent or refused; repeatable.",
)
@click.option(
    "--combined",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a line for each flow to this new file, or - for standard output: a sign, the id, its space if it has one."
    " - is gone, + is still there, ? could not be looked at, = was kept and is there, ! was kept and is gone.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Write the result to standard output, as one JSON object."
)
@reading_options("verify")
@click.pass_context
def command(ctx: click.Context, /, checkpoint: Path, **options: Any) -> None:
    """Check whether the flows that CHECKPOINT records as deleted or absent are gone, without deleting anything.

    It looks at each with GetFlow, again for up to 15 seconds where a flow is there: the service may lag. Flows in doubt
    are always checked and settled: gone, they are deleted, by inference; there, the next run calls them. So are flows
    whose deletion was only inferred. A deletion that the service confirmed keeps its outcome: `flowreaper results
    --remaining` lists those that are there all the same. Kept flows are checked, too, except with --sample.

    No run may have the checkpoint meanwhile. Whatever is found is kept at once: Ctrl-C loses nothing.
    """
    # These take a fifth of a second, which help and completion need not wait.
    from flowreaper.cli.verify import VerifyCommand
    from flowreaper.job.settings import parse_treat
    from flowreaper.store.verification import Extent, VerificationMethod

    seed = options["seed"]
    extent = Extent(
        method=VerificationMethod.LISTING if options["by_listing"] else VerificationMethod.LOOK,
        sample=options["sample"],
        seed=random.randrange(_MOST_SEEDS) if seed is None else seed,  # noqa: S311 -- chooses a sample
    )
    settings = replace(service_settings(ctx, options, "verify"), treat=parse_treat(options["treat"]))
    run = VerifyCommand(checkpoint, settings, extent, options)
    ctx.exit(run.execute())
