"""The service that a command calls: the real one, or a sandbox that is started for a rehearsal."""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from flowreaper.cli.advice import shown
from flowreaper.client.actions import CallerIdentity
from flowreaper.client.credentials import ChainSource, StaticSource, find_source
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import RunError
from flowreaper.events import Log
from flowreaper.job.identity import identify
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
