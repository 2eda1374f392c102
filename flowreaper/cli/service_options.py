"""Options about the service that several commands share, and what is read from them."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from flowreaper.client.endpoint import Endpoint, parse_endpoint
from flowreaper.errors import ConfigurationError

Decorated = Callable[..., Any]


def identity_options(command: str) -> Callable[[Decorated], Decorated]:
    """Return a decorator that adds the options about whose the access key is.

    `command` is the command's name: a variable with that name comes before the one that all commands share.
    """
    variables = [f"FLOWREAPER_{command.upper()}_STS_ENDPOINT", "FLOWREAPER_STS_ENDPOINT"]
    options = (
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

    def decorate(function: Decorated) -> Decorated:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


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
    return {"expect_account": expected, "sts_endpoint": _sts_endpoint(named) if named else None}


def _sts_endpoint(text: str) -> Endpoint:
    try:
        return parse_endpoint(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--sts-endpoint: {error}") from None
