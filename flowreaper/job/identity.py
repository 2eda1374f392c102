"""Whose the access key is: STS is asked before anything is opened, and another account than the expected one refused.

STS lets every access key ask for its own identity, without a permission.
"""

import asyncio
import random

from flowreaper.client.actions import CallerIdentity
from flowreaper.client.client import Client, CredentialSource
from flowreaper.client.codes import in_words
from flowreaper.client.operations import Operations, Refusal
from flowreaper.client.repair import Repair
from flowreaper.errors import Advice, ConfigurationError, OutageError, RunError
from flowreaper.escaping import printable
from flowreaper.events import Log
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace

PATIENCE_S = 60.0
"""The longest wait for an answer of STS, all tries included."""

_CALL_S = 15.0
_LONGEST_ARN = 512


async def identify(settings: Settings, credentials: CredentialSource, log: Log) -> CallerIdentity:
    """Return whose the access key is; ask STS again while trouble passes, for a minute at most.

    Raises:
        ConfigurationError: it belongs to another account than `settings.expect_account`.
        FatalReplyError: the key is wrong, or STS refuses it.
        OutageError: STS does not answer.
        RunError: its answer cannot be used; or as `Client`.
    """
    host = settings.sts.host_header
    try:
        async with asyncio.timeout(PATIENCE_S):
            found = await _ask(settings, credentials, log)
    except TimeoutError:
        raise OutageError(
            f"{host} does not say whose the access key is: GetCallerIdentity had no usable answer within"
            f" {PATIENCE_S:.0f} seconds",
            Advice.WITHOUT_IDENTITY,
        ) from None
    except OutageError as error:
        raise OutageError(
            f"{host} does not say whose the access key is: {error}", Advice.WITHOUT_IDENTITY
        ) from None
    if isinstance(found, Refusal):
        raise RunError(
            f"{host} does not say whose the access key is: {in_words(found.reply)}", Advice.WITHOUT_IDENTITY
        )
    if not (found.account.isascii() and found.account.isdigit()):
        raise RunError(
            f"{host} does not say whose the access key is: its answer has no account number",
            Advice.WITHOUT_IDENTITY,
        )
    require_account(found, settings.expect_account)
    return found._replace(arn=found.arn[:_LONGEST_ARN])  # a server may send any


def require_account(caller: CallerIdentity, expected: str | None) -> None:
    """Refuse the caller of another account than the expected one; None: any is right.

    Raises:
        ConfigurationError: it is another one.
    """
    if expected is not None and caller.account != expected:
        raise ConfigurationError(
            f"the access key belongs to the account {caller.account} ({printable(caller.arn)}), not to {expected} as"
            f" expected: use a key of the account {expected}, or expect {caller.account}"
        )


async def _ask(settings: Settings, credentials: CredentialSource, log: Log) -> CallerIdentity | Refusal:
    client = Client(settings.sts, credentials, timeout_s=min(_CALL_S, settings.timeout_s), connections=1)
    async with client:
        operations = Operations(
            client,
            lambda _operation: RateLimiter(Pace(settings.read_rate)),
            Repair(client, log),
            outage_limit_s=min(PATIENCE_S - _CALL_S, settings.outage_limit_s),
            max_attempts=settings.max_attempts,
            luck=random.random,
            log=log,
        )
        return await operations.get_caller_identity()
