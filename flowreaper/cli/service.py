"""The service that a command calls: the real one, or a sandbox that is started for a rehearsal."""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace

from flowreaper.client.credentials import ChainSource, StaticSource, find_source
from flowreaper.client.endpoint import parse_endpoint
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
