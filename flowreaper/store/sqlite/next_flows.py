"""Which flows of a checkpoint come next, on a connection that is passed in."""

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from flowreaper.errors import CheckpointError
from flowreaper.model import Claim
from flowreaper.store.sqlite import columns, listed_flows, statements
from flowreaper.store.sqlite.sources import Sources


class Found(NamedTuple):
    """The flows that come next, as claims, and up to where listed and pending flows are taken with them."""

    claims: list[Claim]
    listed_up_to: int
    read_up_to: int


class NextFlows:
    """Finds flows in the order of reading, each once; listed ones that were known before come first.

    `checkpoint` is its name, fit for messages. `last_known` is the last row before this run's own, where only listed
    flows are taken; None: all rows are. `left_claimed` are the rows that a crash left claimed.
    """

    def __init__(self, checkpoint: str, sources: Sources) -> None:
        self._checkpoint = checkpoint
        self._sources = sources
        self.read_up_to = 0
        self.left_claimed: frozenset[int] = frozenset()
        self.last_known: int | None = None
        self._listed_up_to = 0

    def find(self, db: sqlite3.Connection, new: int, rows: Sequence[int]) -> Found:
        """Return the flows of `rows`, then up to `new` others.

        Raises:
            CheckpointError: one of `rows` has an outcome.
        """
        claims = [self._claim_row(db, row) for row in rows]
        listed_up_to, known = self._next_listed(db, new)
        pending = self._next_pending(db, new - len(known))
        read_up_to = pending[-1].row if pending else self.read_up_to
        return Found(claims + known + pending, listed_up_to, read_up_to)

    def took(self, found: Found) -> None:
        """Go on after what was found, once it is taken for good."""
        self._listed_up_to, self.read_up_to = found.listed_up_to, found.read_up_to

    def _claim_row(self, db: sqlite3.Connection, row: int) -> Claim:
        found = statements.unfinished_row(db, row)
        if found is None:
            raise CheckpointError(
                f"{self._checkpoint}: row {row} is not to be called again: the checkpoint was changed"
                " by something else while this run went on"
            )
        return self._claim(db, found)

    def _next_listed(self, db: sqlite3.Connection, count: int) -> tuple[int, list[Claim]]:
        if self.last_known is None or count <= 0:
            return self._listed_up_to, []
        place, found = listed_flows.next_rows(db, self._listed_up_to, count)
        return place, [self._claim(db, row) for row in found]

    def _next_pending(self, db: sqlite3.Connection, count: int) -> list[Claim]:
        if count <= 0:
            return []
        found = statements.next_pending(db, self.read_up_to, count + len(self.left_claimed))
        # Rows that a crash left claimed are claimed by naming them alone, also after they were requeued.
        fresh = [row for row in found if row[0] not in self.left_claimed]
        return [self._claim(db, row) for row in fresh[:count]]

    def _claim(self, db: sqlite3.Connection, found: Sequence[Any]) -> Claim:
        row, flow_id, space, attempts, in_doubt, source, line = found
        name = self._sources.name(db, source)
        flow = columns.flow(flow_id, space)
        return Claim(row, flow, columns.number(attempts), bool(in_doubt), name, columns.number(line))
