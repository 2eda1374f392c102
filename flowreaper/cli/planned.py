"""``flowreaper delete --plan``: a plan takes the place of the SOURCEs, and is checked before anything is asked."""

from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.arguments import checkpoint_of, settings_of
from flowreaper.cli.options import path_word
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.plan_file import PlanHeading
from flowreaper.job.plan_reader import Plan, read_plan
from flowreaper.producer.formats import Format
from flowreaper.producer.sources import Source
from flowreaper.store.sqlite.reader import is_begun, read_status

_ABOUT_SOURCES = ("input_format", "id_field", "space_field", "cust_space_id")
_UNSET: tuple[object, ...] = (None, "", "auto")


def plan_checkpoint(plan: Path) -> Path:
    """Return the checkpoint of a plan's job, where the user names none: beside the plan."""
    return Path(f"{plan}.ckpt")


def planned_sources(ctx: click.Context, options: dict[str, Any], held: ExitStack) -> list[Source]:
    """Return the source of the plan's flows; `held` closes it. Fill in the options that follow from the plan.

    These are the checkpoint, the input's format, the account and `plan_digest`, which is no option.

    Raises:
        ConfigurationError: the plan cannot be used: it was changed, has expired, is of another account or endpoint.
    """
    path: Path = options["plan"]
    name = printable(str(path))
    _refuse_sources(options, name)
    plan = read_plan(path)
    held.callback(plan.close)
    if options["checkpoint"] is None:
        options["checkpoint"] = plan_checkpoint(path)
    options["input_format"] = Format.JSONL.value
    if not options["sandbox"]:
        _require_service(ctx, options, plan.heading, name)
        _require_account(options, plan.heading, name)
        _require_time(options, plan, name)
        options["plan_digest"] = plan.digest
    return [Source(name, "", rereadable=True, fd=plan.descriptor)]


def _refuse_sources(options: Mapping[str, Any], name: str) -> None:
    if options["source"]:
        raise ConfigurationError(
            f"a plan names all that is to be deleted: leave out the SOURCEs, or --plan {name}"
        )
    for option in _ABOUT_SOURCES:
        if options[option] not in _UNSET:
            flag = f"--{option.replace('_', '-')}"
            raise ConfigurationError(f"{flag} is about SOURCEs: leave it out, or --plan {name}")


def _require_service(ctx: click.Context, options: dict[str, Any], heading: PlanHeading, name: str) -> None:
    endpoint = settings_of(ctx, options).endpoint.url
    if endpoint != heading.endpoint:
        raise ConfigurationError(
            f"the plan {name} was made at the endpoint {printable(heading.endpoint)}, and this run is for {endpoint}: use"
            " the same endpoint, or make a new plan"
        )


def _require_account(options: dict[str, Any], heading: PlanHeading, name: str) -> None:
    """Let the run expect the plan's account, which is asked for later; a plan of no account fits any."""
    if not heading.account:
        return
    account = printable(heading.account)
    if options["no_identity"]:
        raise ConfigurationError(
            f"the plan {name} is for the account {account}, and nobody can say whose the access key is with"
            " --no-identity: leave it out, or make a new plan with it"
        )
    if options["expect_account"] not in (None, heading.account):
        raise ConfigurationError(
            f"the plan {name} is for the account {account}, and --expect-account is"
            f" {printable(options['expect_account'])}: use the plan of the right account"
        )
    options["expect_account"] = heading.account


def _require_time(options: dict[str, Any], plan: Plan, name: str) -> None:
    """Refuse a plan that has expired; a job that it has begun may go on."""
    if not plan.heading.is_expired(datetime.now(UTC)):
        return
    checkpoint = checkpoint_of([], options)
    if is_begun(checkpoint) and read_status(checkpoint).plan == plan.digest:
        return
    raise ConfigurationError(
        f"the plan {name} has expired at {printable(plan.heading.expires_at)}: the account may have changed since it was"
        f" made. Make a new one with `flowreaper list --plan` (the rules: `flowreaper plan {path_word(options['plan'])}`)"
    )
