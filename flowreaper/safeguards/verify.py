"""Whether flows are gone: looks at them with GetFlow, or lists their spaces, and believes neither too early."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from flowreaper.client.actions import FlowDetails
from flowreaper.client.codes import classify
from flowreaper.client.operations import Refusal
from flowreaper.model import Flow, Reply, ReplyClass

PATIENCE_S = (1.0, 2.0, 4.0, 8.0)
"""The seconds before each further look at a flow that is still there: the service may lag behind its own deletions."""

NO_PATIENCE: Sequence[float] = ()
"""For a flow that is expected to be there."""

NOT_LISTED = Reply(0, "Listing.NotShown", "ListFlow does not show the flow")
"""Stands for a complete listing of a space that does not show the flow."""

_SILENT = Reply(0, message="GetFlow's answer does not describe the flow")

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Gone:
    """The flow does not exist; `reply` says so, in the service's words or as `NOT_LISTED`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class There:
    """The flow exists, in this status."""

    status: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows: the reply neither shows the flow nor says that it does not exist."""

    reply: Reply


Sighting = Gone | There | Unknown
"""What looking for a flow found."""


class FlowReader(Protocol):
    """The operation that looks at a flow; `client.operations.Operations` has the rules."""

    async def get_flow(self, flow: Flow, /) -> FlowDetails | Refusal:
        """Return a flow's name and status."""
        ...


class Look(Protocol):
    """A way to find out whether a flow is there."""

    async def __call__(self, flow: Flow, /, *, patience: Sequence[float]) -> Sighting:
        """Look for the flow; while it is there, again after each of the waits of `patience`, in seconds."""
        ...


async def is_gone(
    operations: FlowReader,
    flow: Flow,
    *,
    patience: Sequence[float] = PATIENCE_S,
    treat: Mapping[str, ReplyClass] | None = None,
) -> Sighting:
    """Find out with GetFlow whether a flow is gone that was deleted, or may have been.

    A flow that is there is looked at again after each of the waits of `patience`, in seconds, before that is believed.
    `treat` as for deletions. Meta's relayed text, "does not exist", counts, as it does for any flow in doubt.

    Raises:
        RunError: something concerns every call, as `Operations` raises it.
    """
    sighting = await _look(operations, flow, treat)
    for wait_s in patience:
        if not isinstance(sighting, There):
            break
        await asyncio.sleep(wait_s)
        sighting = await _look(operations, flow, treat)
    return sighting


async def _look(operations: FlowReader, flow: Flow, treat: Mapping[str, ReplyClass] | None) -> Sighting:
    found = await operations.get_flow(flow)
    if isinstance(found, Refusal):
        reply_class = classify(found.reply, in_doubt=True, overrides=treat).reply_class
        return Gone(found.reply) if reply_class is ReplyClass.ABSENT else Unknown(found.reply)
    return There(found.status) if found.status else Unknown(_SILENT)


class Verifier:
    """Looks for many flows, up to `at_once` of them at a time."""

    def __init__(self, look: Look, *, at_once: int) -> None:
        self._look = look
        self._at_once = at_once
        self._under_way: set[asyncio.Task[Sighting]] = set()
        self._stopped = False

    def stop(self) -> None:
        """Look no more: `sightings` ends with what was found so far."""
        self._stopped = True
        for task in self._under_way:
            task.cancel()

    async def sightings(
        self, flows: AsyncIterator[tuple[K, Flow, Sequence[float]]]
    ) -> AsyncGenerator[list[tuple[K, Sighting]], None]:
        """Yield what was found, as it comes: each flow once, with the key that it was given with, and in any order.

        Each flow comes with the patience that it deserves. Close it to send no more.

        Raises:
            RunError: something concerns every call; what was found before has been yielded.
        """
        keys: dict[asyncio.Task[Sighting], K] = {}
        more = True
        try:
            while (more and not self._stopped) or keys:
                while more and not self._stopped and len(keys) < self._at_once:
                    given = await anext(flows, None)
                    if given is None:
                        more = False
                    else:
                        key, flow, patience = given
                        keys[self._begin(flow, patience)] = key
                if keys:
                    done, self._under_way = await asyncio.wait(keys, return_when=asyncio.FIRST_COMPLETED)
                    ended = [(keys.pop(task), task) for task in done]
                    told = [(key, task) for key, task in ended if not task.cancelled()]
                    yield [(key, task.result()) for key, task in told if not task.exception()]
                    if error := next((found for _, task in told if (found := task.exception())), None):
                        raise error
        finally:
            for task in keys:
                task.cancel()
            await asyncio.gather(*keys, return_exceptions=True)

    def _begin(self, flow: Flow, patience: Sequence[float]) -> asyncio.Task[Sighting]:
        task = asyncio.create_task(self._found(flow, patience))
        self._under_way.add(task)
        return task

    async def _found(self, flow: Flow, patience: Sequence[float]) -> Sighting:
        return await self._look(flow, patience=patience)
