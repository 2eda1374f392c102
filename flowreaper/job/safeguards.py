"""The safeguards of a run, wired: what looks at its flows, and what proves its first deletions."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from flowreaper.client.client import CredentialSource
from flowreaper.client.operations import Operations
from flowreaper.client.templates import used_flows
from flowreaper.errors import Advice, NotDeletedError
from flowreaper.escaping import printable
from flowreaper.events import Log
from flowreaper.job.checkpoint_state import StartState
from flowreaper.job.lane import Safeguards
from flowreaper.job.operations import open_operations
from flowreaper.job.safeguard_settings import CANARY_NOTE, SafeguardSettings, number_of
from flowreaper.job.settings import Settings, default_concurrency
from flowreaper.model import Flow, ReplyClass
from flowreaper.safeguards.backup import open_backup
from flowreaper.safeguards.guard import Guard
from flowreaper.safeguards.template_uses import TemplateUses
from flowreaper.safeguards.verify import Gone, Sighting, There, is_gone
from flowreaper.workers.canary import Canary


@contextlib.asynccontextmanager
async def open_safeguards(
    settings: Settings,
    credentials: CredentialSource,
    account: str,
    start: StartState,
    note: Callable[[str, str], Awaitable[None]],
    *,
    number: str,
    log: Log,
) -> AsyncIterator[Safeguards]:
    """Yield the safeguards of the job and the run.

    Their calls have connections of their own: however long they take, no deletion waits for one of these. `account` as
    for `open_operations`, `number` is its number, empty where it is not known. `note` keeps a value with the job.

    Raises:
        ConfigurationError: the folder of the backup cannot be used, or is in use.
    """
    wanted = start.safeguards
    if not wanted.any:
        yield Safeguards()
        return
    at_once = max(settings.concurrency, default_concurrency(settings.rate))
    async with contextlib.AsyncExitStack() as stack:
        operations = await stack.enter_async_context(
            open_operations(replace(settings, concurrency=at_once), credentials, account=account, log=log)
        )
        canary = None
        if wanted.canary and number_of(start.proven) < wanted.canary:
            canary = Canary(wanted.canary, _Proof(operations, settings.treat, note, log).prove)
        guard = await _guard(settings, wanted, operations, number, stack, log=log)
        yield Safeguards(
            guard=guard,
            canary=canary,
            silent_since=lambda: operations.silent_since,
        )


async def _guard(
    settings: Settings,
    wanted: SafeguardSettings,
    operations: Operations,
    number: str,
    stack: contextlib.AsyncExitStack,
    *,
    log: Log,
) -> Guard | None:
    if not wanted.looks:
        return None
    backup = None
    if wanted.backup:
        saving = open_backup(
            wanted.backup,
            operations,
            endpoint=settings.endpoint,
            account=number,
            outage_limit_s=settings.outage_limit_s,
            log=log,
        )
        backup = await stack.enter_async_context(saving)
    uses = None
    if wanted.keep_used:
        uses = TemplateUses(partial(used_flows, operations), log)
        stack.push_async_callback(uses.close)
    only_drafts = bool(wanted.only_drafts)
    return Guard(operations, only_drafts=only_drafts, uses=uses, backup=backup, treat=settings.treat)


class _Proof:
    """Proves that flows are gone, with patience for a service that lags, and notes it."""

    def __init__(
        self,
        operations: Operations,
        treat: Mapping[str, ReplyClass],
        note: Callable[[str, str], Awaitable[None]],
        log: Log,
    ) -> None:
        self._operations = operations
        self._treat = treat
        self._note = note
        self._log = log

    async def prove(self, flows: Sequence[Flow]) -> None:
        """Return when every flow is gone.

        Raises:
            NotDeletedError: one is still there, or nobody can say.
            RunError: something concerns every call.
        """
        self._log.info("canary.looking", flows=len(flows))
        looks = [asyncio.ensure_future(is_gone(self._operations, flow, treat=self._treat)) for flow in flows]
        try:
            found = await asyncio.gather(*looks)
        finally:
            for look in looks:
                look.cancel()
        for flow, sighting in zip(flows, found, strict=True):
            if not isinstance(sighting, Gone):
                raise _not_deleted(flow, sighting)
        await self._note(CANARY_NOTE, str(len(flows)))
        self._log.info("canary.proven", flows=len(flows))


def _not_deleted(flow: Flow, sighting: Sighting) -> NotDeletedError:
    of_space = f" of the space {printable(flow.cust_space_id)}" if flow.cust_space_id else ""
    name = f"the flow {printable(flow.flow_id)}{of_space}"
    if isinstance(sighting, There):
        return NotDeletedError(
            f"the service said that it deleted {name}, and GetFlow still finds it"
            f" ({printable(sighting.status)}): nothing more is deleted. Look at this flow before going on",
            Advice.VERIFY_FIRST,
        )
    reply = sighting.reply
    return NotDeletedError(
        f"nobody can say whether {name} is deleted: GetFlow answers {printable(reply.code) or 'nothing'}"
        f" (HTTP {reply.status}, request id {printable(reply.request_id) or 'unknown'}): {printable(reply.message)}\n"
        "Nothing more is deleted. If the code means that the flow does not exist, treat it as absent",
        Advice.VERIFY_FIRST,
    )
