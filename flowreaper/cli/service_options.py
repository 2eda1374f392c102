"""Options about the service that several commands share, and what is read from them."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import click

from flowreaper.cli.options import Decorator, grouped, typed
from flowreaper.client.endpoint import DEFAULT_REGION, Endpoint, parse_endpoint, region_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.job import settings

_STS_VARIABLE = "FLOWREAPER_STS_ENDPOINT"


timeout_option = click.option(
    "--timeout",
    type=float,
    default=settings.DEFAULT_TIMEOUT_S,
    show_default=True,
    metavar="S",
    help="Seconds for a whole call.",
)
"""The longest time for a call."""


def identity_options(command: str) -> Decorator:
    """Return a decorator that adds the options about whose the access key is.

    `command` is the command's name: a variable with that name comes before the one that all commands share.
    """
    variables = [f"FLOWREAPER_{command.upper()}_STS_ENDPOINT", _STS_VARIABLE]
    return grouped(
        click.option(
            "--expect-account",
            metavar="NUMBER",
            help="Refuse an access key of any other account than the one with this number.",
        ),
        click.option(
            "--no-identity",
            is_flag=True,
            help="Do not ask STS for the number of the access key's account: for networks without a way to STS.",
        ),
        click.option(
            "--sts-endpoint",
            envvar=variables,
            metavar="HOST|URL",
            help="Where STS is asked.  [default: in the endpoint's region]",
        ),
    )


def reading_options(command: str) -> Decorator:
    """Return a decorator that adds the options about the service to a command that only asks it."""
    return grouped(
        click.option(
            "--read-rate",
            type=float,
            default=settings.DEFAULT_RATE,
            show_default=True,
            metavar="N",
            help="Calls per second for the account, of each operation by itself.",
        ),
        timeout_option,
        click.option(
            "--outage-limit",
            type=float,
            default=settings.DEFAULT_OUTAGE_LIMIT_S,
            show_default=True,
            metavar="S",
            help="Stop when nothing has answered for S seconds; until then, wait.",
        ),
        endpoint_options(command),
        identity_options(command),
    )


def endpoint_options(command: str) -> Decorator:
    """Return a decorator that adds the options about where the service is, and with whose key it is called."""
    return grouped(
        click.option(
            "--endpoint",
            envvar=endpoint_variables(command),
            metavar="HOST|URL",
            help="Endpoint instead of the region's; https unless it is this machine.",
        ),
        click.option(
            "--region", metavar="NAME", default=DEFAULT_REGION, show_default=True, help="Its region."
        ),
        click.option("--profile", metavar="NAME", help="Credentials profile of ~/.aliyun/config.json."),
    )


def endpoint_variables(command: str) -> list[str]:
    """Return the variables that may name a command's endpoint; the first that is set counts."""
    return [f"FLOWREAPER_{command.upper()}_ENDPOINT", "FLOWREAPER_ENDPOINT"]


def service_settings(ctx: click.Context, options: Mapping[str, Any], command: str) -> settings.Settings:
    """Return the settings of a command with `reading_options`; raises ConfigurationError."""
    rate = options["read_rate"]
    return settings.Settings(
        endpoint=endpoint_of(ctx, options, endpoint_variables(command)),
        read_rate=rate,
        concurrency=settings.default_concurrency(rate) if math.isfinite(rate) else 1,
        timeout_s=options["timeout"],
        outage_limit_s=options["outage_limit"],
        **identity_settings(options),
    )


def endpoint_of(ctx: click.Context, options: Mapping[str, Any], variables: Sequence[str]) -> Endpoint:
    """Return the endpoint that is typed, else the region's that is typed, else what a variable or a default names.

    Raises:
        ConfigurationError: it is none.
    """
    if typed(ctx, "region") and not typed(ctx, "endpoint"):
        return region_endpoint(options["region"])
    # click takes an empty variable for none: that would be the real service.
    variable = next((name for name in variables if name in os.environ), "")
    where = "--endpoint" if typed(ctx, "endpoint") else variable
    given = options["endpoint"] if where == "--endpoint" else os.environ.get(variable)
    if given == "":
        raise ConfigurationError(
            f"{where} is empty: name an endpoint, or leave it out for the service itself"
        )
    named = options["endpoint"]
    return parse_endpoint(named) if named else region_endpoint(options["region"])


def identity_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Settings` takes of these options: `expect_account` and `sts_endpoint`.

    Raises:
        ConfigurationError: an account is expected and nobody is to be asked, or the endpoint is none.
    """
    expected, named = options["expect_account"], options["sts_endpoint"]
    if expected is not None and options["no_identity"]:
        raise ConfigurationError(
            "--expect-account needs to know whose the access key is: leave out --no-identity, or --expect-account"
        )
    if named is None and os.environ.get(_STS_VARIABLE) == "" and not options["no_identity"]:
        # click takes an empty variable for none: that would be the real service.
        raise ConfigurationError(
            f"{_STS_VARIABLE} is empty: name an endpoint, or leave it out for STS itself"
        )
    return {"expect_account": expected, "sts_endpoint": None if named is None else _sts_endpoint(named)}


def _sts_endpoint(text: str) -> Endpoint:
    try:
        return parse_endpoint(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--sts-endpoint: {error}") from None
