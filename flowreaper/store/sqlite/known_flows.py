"""What a checkpoint knows of flows that a caller names, and which of its flows are unfinished.

Reads alone. The values travel as JSON, so that a look-up is one step of one statement, as in `statements`.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from flowreaper.model import AnyEntry, Entry, Flow, InvalidEntry, Record, Retry
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.database import Database
from flowreaper.store.sqlite.rows import FLOW_COLUMNS, INVALID_COLUMNS, flow_record, invalid_record
from flowreaper.store.sqlite.statements import retry_condition
from flowreaper.store.sqlite.states import IS_FINAL, IS_UNFINISHED

# CROSS JOIN and unary "+" make SQLite look each given flow up by its id, as in `listed_flows`.
_FINISHED = (
    f"SELECT json_group_array(json_array({FLOW_COLUMNS})) FROM json_each(?) AS given CROSS JOIN flow"  # noqa: S608 -- constants
    " ON (flow_id, cust_space_id) = (json_extract(given.value, '$[0]'), json_extract(given.value, '$[1]'))"
    f" WHERE +flow.state {IS_FINAL}"
)
_INVALID = (
    f"SELECT json_group_array(json_array({INVALID_COLUMNS}))"  # noqa: S608 -- constants
    " FROM invalid WHERE text IN (SELECT value FROM json_each(?))"
)


class KnownFlows:
    """The flows and invalid lines of one checkpoint.

    Every method raises CheckpointError where the file cannot be read.
    """

    def __init__(self, db: sqlite3.Connection, database: Database) -> None:
        self._db = db
        self._database = database

    def finished(self, entries: Sequence[AnyEntry]) -> list[Record]:
        """Return the records of the flows and lines among `entries` that have an outcome, each once, in any order."""
        flows = [entry.flow for entry in entries if isinstance(entry, Entry)]
        texts = [entry.text for entry in entries if isinstance(entry, InvalidEntry)]
        with self._database.errors():
            sources = self._sources()
            found = [flow_record(row, sources) for row in self._rows(_FINISHED, list(dict.fromkeys(flows)))]
            return found + [invalid_record(row, sources) for row in self._rows(_INVALID, texts)]

    def unfinished(self, after: int, count: int, retry: Retry) -> list[tuple[int, Flow]]:
        """Return up to `count` flows of the rows after `after`, in order of reading, each with its row.

        They are those without an outcome, and the finished ones that `retry` names.
        """
        which, parameters = retry_condition(retry)
        with self._database.errors():
            found = self._db.execute(
                "SELECT id, flow_id, cust_space_id FROM flow"  # noqa: S608 -- constants and question marks
                f" WHERE id > ? AND (+state {IS_UNFINISHED} OR ({which})) ORDER BY id LIMIT ?",
                (after, *parameters, count),
            ).fetchall()
            return [(columns.number(row), columns.flow(flow_id, space)) for row, flow_id, space in found]

    def _sources(self) -> Mapping[object, object]:
        return dict(self._db.execute("SELECT id, name FROM source").fetchall())

    def _rows(self, statement: str, given: Sequence[object]) -> Iterator[Sequence[object]]:
        if given:
            (found,) = self._db.execute(statement, (json.dumps(given),)).fetchone()
            yield from json.loads(found)
