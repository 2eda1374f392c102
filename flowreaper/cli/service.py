"""The service that a command calls or reads: the real one, or a sandbox that is started for a rehearsal."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from flowreaper.cli.advice import shown
from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.screen import Screen
from flowreaper.client.actions import CallerIdentity
from flowreaper.client.credentials import ChainSource, StaticSource, find_source
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.client.operations import Operations
from flowreaper.errors import RunError
from flowreaper.events import Log
from flowreaper.job.identity import identify
from flowreaper.job.operations import open_operations
from flowreaper.job.settings import DEFAULT_RATE, Settings

CredentialsOf = StaticSource | ChainSource

_SANDBOX_LATENCY_S = 0.02


@contextlib.asynccontextmanager
async def open_service(
    settings: Settings, profile: str | None
) -> AsyncIterator[tuple[Settings, CredentialsOf]]:
    """Yield the settings and credentials of the service; for a rehearsal, of a sandbox that is started here."""
    if not settings.sandbox:
        yield settings, find_source(profile, os.environ)
        return
    from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

    rate = max(int(DEFAULT_RATE), round(settings.rate))
    async with Sandbox(SandboxOptions(rate=rate, latency_s=_SANDBOX_LATENCY_S)) as sandbox:
        endpoint = parse_endpoint(sandbox.url)
        yield replace(settings, endpoint=endpoint), StaticSource(CREDENTIALS, "the sandbox")


@contextlib.asynccontextmanager
async def open_reading(
    settings: Settings, options: Mapping[str, Any], screen: Screen
) -> AsyncIterator[tuple[Operations, CallerIdentity | None]]:
    """Yield the operations of the account of a command with `reading_options`, and whose the access key is.

    `screen` shows what passes meanwhile. Raises what `identify` and `open_operations` raise.
    """
    source = find_source(options["profile"], os.environ)
    log = make_log(screen, LogFormat.TEXT, "info")
    credentials = await source.get()
    caller = await caller_of(settings, source, options, log)
    account = caller.account if caller else credentials.access_key_id
    async with open_operations(settings, source, account=account, log=log) as operations:
        yield operations, caller


async def caller_of(
    settings: Settings, source: CredentialsOf, options: Mapping[str, Any], log: Log
) -> CallerIdentity | None:
    """Return whose the access key is; None where nobody is to be asked, as for a rehearsal.

    `options` are those of `identity_options`. Raises what `identify` raises.
    """
    return None if settings.sandbox or options["no_identity"] else await identify(settings, source, log)


async def caller_if_told(
    settings: Settings, source: CredentialsOf, options: Mapping[str, Any], log: Log
) -> tuple[CallerIdentity | None, str]:
    """Return the same, or None and why it could not be found out; another account than the expected one is refused.

    Raises:
        ConfigurationError: it is such an account.
    """
    try:
        return await caller_of(settings, source, options, log), ""
    except RunError as error:
        return None, shown(error).replace("\n", " ")
