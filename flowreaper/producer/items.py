"""What a program may give as a flow, and the entry that follows from it. Pure."""

from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from operator import index
from typing import Any, NamedTuple, SupportsIndex

from flowreaper.escaping import printable
from flowreaper.model import AnyEntry
from flowreaper.producer.flow_ids import EntryFactory

SOURCE = "flows"
"""The name of the source that such flows come from."""

PlainFlow = str | int | tuple[str, str]
"""A flow's id, or a pair of id and CustSpaceId, as `Flow` is."""


class Tagged(NamedTuple):
    """A flow with something of the caller's, which comes back as `tag` of the flow's record."""

    flow: PlainFlow
    tag: Any


AnyFlow = PlainFlow | Tagged

AnyFlows = Iterable[AnyFlow] | AsyncIterable[AnyFlow]


def require_collection(flows: object) -> None:
    """Refuse what can be iterated, but whose parts (characters, a flow's space) would be deleted as flows.

    Raises:
        TypeError: `flows` is a single id or flow.
    """
    if isinstance(flows, str | bytes | bytearray | memoryview) or hasattr(flows, "_fields"):
        raise TypeError(f"flows is one {type(flows).__name__}: put it into a list")


def tag_of(item: object) -> tuple[object, object]:
    """Return the flow of an item, and its tag; None where it has none."""
    return (item.flow, item.tag) if isinstance(item, Tagged) else (item, None)


def entry_of(factory: EntryFactory, item: object, number: int) -> AnyEntry:
    """Return the entry of a flow without its tag, or the invalid entry that says why; `number` counts from 1."""
    if isinstance(item, str):
        return factory.entry(item, "", number)
    if isinstance(item, tuple):
        flow_id, space = item if len(item) == 2 else (None, None)  # noqa: PLR2004 -- a pair
        if isinstance(flow_id, str) and isinstance(space, str):
            return factory.entry(flow_id, space, number)
        return factory.invalid(_shown(item), "a tuple is a flow id and a space, both of them str", number)
    reason = f"a flow id is a str or an int, not a value of type {printable(type(item).__name__)}"
    if isinstance(item, SupportsIndex) and not isinstance(item, bool):
        with suppress(Exception):  # __index__ may raise; str() of an int of over 4,300 digits does
            return factory.entry(str(index(item)), "", number)
        reason = "the number has no digits that could be sent"
    return factory.invalid(_shown(item), reason, number)


def _shown(item: object) -> str:
    try:
        return repr(item)
    except Exception:  # noqa: BLE001 -- a stranger's repr; an int of over 4,300 digits
        return object.__repr__(item)
