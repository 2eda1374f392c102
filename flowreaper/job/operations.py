"""The operations beside DeleteFlow, wired for one account: a limiter for each, shared with the machine's other runs."""

import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack

from flowreaper.client.client import Client, CredentialSource
from flowreaper.client.operations import Operations
from flowreaper.client.paced_operation import Limiter
from flowreaper.client.repair import Repair
from flowreaper.events import Log, SilentLog
from flowreaper.job.lane import share_pace
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.peers import Peers
from flowreaper.limiter.shared_file import account_of
from flowreaper.limiter.sliding_window import Pace


@contextlib.asynccontextmanager
async def open_operations(
    settings: Settings, credentials: CredentialSource, *, account: str, log: Log
) -> AsyncIterator[Operations]:
    """Yield the operations of an account, on connections of their own.

    `account` is its number, or the access key id where that is not known: runs of one account share their paces.

    Raises:
        CredentialsError: there are none.
    """
    client = Client(
        settings.endpoint, credentials, timeout_s=settings.timeout_s, connections=settings.concurrency
    )
    with ExitStack() as stack:

        def limiter_of(operation: str) -> Limiter:
            name = account_of(settings.endpoint.url, account, operation)
            peers = stack.enter_context(Peers(name))
            # What becomes of the sharing is said once, of the deletions.
            shared = stack.enter_context(share_pace(name, peers, SilentLog()))
            return RateLimiter(Pace(settings.read_rate), shared)

        async with client:
            yield Operations(
                client,
                limiter_of,
                Repair(client, log),
                outage_limit_s=settings.outage_limit_s,
                max_attempts=settings.max_attempts,
                luck=random.random,
                log=log,
            )
