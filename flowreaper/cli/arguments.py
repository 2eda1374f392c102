"""The options of ``flowreaper delete`` as values: the job's settings, the input's, the checkpoint's name."""

import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.options import typed
from flowreaper.cli.service_options import endpoint_of, endpoint_variables, identity_settings
from flowreaper.cli.times import parse_moment, parse_span
from flowreaper.client.endpoint import region_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.job.max_delete import parse_max_delete
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.job.settings import Settings, default_concurrency, parse_treat
from flowreaper.model import State
from flowreaper.producer.formats import Format, InputSettings
from flowreaper.producer.sources import Source

_REHEARSAL = ".sandbox.ckpt"
_REHEARSED = ".sandbox"


def default_checkpoint(sources: list[Source]) -> Path:
    """Return the name of a checkpoint that the user did not name: in this folder, after the first source."""
    if sources and sources[0].rereadable and sources[0].path:
        return Path(f"{Path(sources[0].path).name}.ckpt")
    # Two pipes can begin in the same second.
    return Path(f"stdin-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.ckpt")


def rehearsal_checkpoint(path: Path) -> Path:
    """Return the checkpoint that a rehearsal uses in place of `path`, so that it never spoils the real run."""
    if path.name.endswith(_REHEARSAL):
        return path
    return path.with_name(path.name.removesuffix(".ckpt") + _REHEARSAL)


def _backup_of(options: dict[str, Any]) -> Path | None:
    """Return the folder of the backup; a rehearsal has one of its own, so that it never spoils the real one."""
    folder: Path | None = options["backup"]
    if folder is None or not options["sandbox"] or folder.name.endswith(_REHEARSED):
        return folder
    return Path(f"{folder}{_REHEARSED}")  # also of . and .., which have no name to replace


def checkpoint_of(sources: list[Source], options: dict[str, Any]) -> Path:
    """Return the checkpoint that ``flowreaper delete`` uses; a rehearsal has one of its own."""
    path: Path = options["checkpoint"] or default_checkpoint(sources)
    return rehearsal_checkpoint(path) if options["sandbox"] else path


def input_settings_of(options: dict[str, Any]) -> InputSettings:
    """Return how the sources are read; raises ConfigurationError."""
    return InputSettings(
        format=None if options["input_format"] == "auto" else Format(options["input_format"]),
        id_field=options["id_field"],
        space_field=options["space_field"],
        default_space=options["cust_space_id"],
        id_pattern=options["id_pattern"],
    )


def settings_of(ctx: click.Context, options: dict[str, Any]) -> Settings:
    """Return the settings of ``flowreaper delete``; raises ConfigurationError."""
    if options["sandbox"] and typed(ctx, "endpoint"):
        raise ConfigurationError(
            "--sandbox starts an endpoint of its own: leave out --endpoint, or --sandbox"
        )
    endpoint = None if options["sandbox"] else endpoint_of(ctx, options, endpoint_variables("delete"))
    rate, concurrency = options["rate"], options["concurrency"]
    if concurrency is None:
        # Settings refuses a rate that is not finite; there is no concurrency to derive from one.
        concurrency = default_concurrency(rate) if math.isfinite(rate) else 1
    return Settings(
        endpoint=endpoint or region_endpoint(options["region"]),
        sandbox=options["sandbox"],
        rate=rate,
        concurrency=concurrency,
        timeout_s=options["timeout"],
        max_attempts=options["max_attempts"],
        outage_limit_s=options["outage_limit"],
        max_refusals=options["max_consecutive_refusals"],
        max_absent=options["max_consecutive_absent"],
        limit=options["limit"],
        max_duration_s=parse_span(options["max_duration"], "--max-duration")
        if options["max_duration"] is not None
        else None,
        stop_at=parse_moment(options["stop_at"], "--stop-at", datetime.now().astimezone())
        if options["stop_at"] is not None
        else None,
        retry=tuple(State(s) for s in options["retry"]),
        retry_codes=options["retry_code"],
        treat=parse_treat(options["treat"]),
        read_rate=options["read_rate"],
        safeguards=SafeguardSettings(
            only_drafts=options["only_drafts"],
            keep_used=options["keep_used"],
            backup=_backup_of(options),
            no_backup=options["no_backup"],
            canary=options["canary"],
        ),
        max_delete=parse_max_delete(options["max_delete"]) if options["max_delete"] is not None else None,
        plan=options.get("plan_digest", ""),
        **identity_settings(options),
    )
