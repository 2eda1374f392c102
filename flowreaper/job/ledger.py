"""Who waits for which flow's outcome. No await."""

from typing import Protocol

from flowreaper.model import AnyEntry, Entry, Flow, Record, State


class Waiter(Protocol):
    """Waits for the outcomes of entries that it gave."""

    def settle(self, record: Record, tag: object, *, earlier: bool) -> None:
        """Take the record of one entry, and its tag. `earlier`: the outcome was there before the entry was given."""
        ...


class Ledger:
    """Hands each record to those who wait for it. A `Stream`: it gets the run's outcomes once they are recorded.

    It holds what is waited for, and nothing else.
    """

    def __init__(self) -> None:
        # Invalid lines are known by their text, which no flow is: a flow is a tuple.
        self._waiting: dict[Flow | str, list[tuple[Waiter, object]]] = {}

    def expect(self, entry: AnyEntry, waiter: Waiter, tag: object) -> None:
        """Let `waiter` wait for the entry's outcome."""
        key = entry.flow if isinstance(entry, Entry) else entry.text
        self._waiting.setdefault(key, []).append((waiter, tag))

    def put(self, record: Record) -> None:
        """Take an outcome of this run."""
        self._settle(record, earlier=False)

    def found(self, record: Record) -> None:
        """Take an outcome that the checkpoint held already."""
        self._settle(record, earlier=True)

    def _settle(self, record: Record, *, earlier: bool) -> None:
        flow = Flow(record.flow_id, record.cust_space_id or "")
        key = record.flow_id if record.state is State.INVALID else flow
        for waiter, tag in self._waiting.pop(key, ()):
            waiter.settle(record, tag, earlier=earlier)
