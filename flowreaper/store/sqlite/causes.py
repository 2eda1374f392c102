"""Why flows ended as they did, and where they came from: counted in a checkpoint, on a connection that is passed in."""

import sqlite3
from collections.abc import Iterator

from flowreaper.model import FINAL, Cause, Flow, State
from flowreaper.store.records import source_name
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.states import IS_FINAL, NUMBER

MOST_CAUSES = 20
SAMPLE = 3

_ORDER = tuple(reversed(FINAL))  # what needs a person comes first


def causes(db: sqlite3.Connection, limit: int = MOST_CAUSES) -> tuple[Cause, ...]:
    """Return why flows and lines ended other than by a confirmed deletion, with a few of each.

    By state, those that need a person first; then by number of flows. At most `limit` codes of each state.
    """
    counted = db.execute(
        f"SELECT state, code, count(*) FROM flow WHERE state {IS_FINAL} GROUP BY state, code ORDER BY count(*) DESC"  # noqa: S608 -- a constant
    ).fetchall()
    found: dict[State, list[Cause]] = {}
    for number, code, flows in counted:
        state, text = columns.state(number), columns.optional_text(code)
        of_state = found.setdefault(state, [])
        if len(of_state) < limit and (state, text) != (State.DELETED, "OK"):
            of_state.append(Cause(state, text or "", flows, tuple(_sample(db, state, text))))
    (invalid,) = db.execute("SELECT count(*) FROM invalid").fetchone()
    if invalid:
        lines = db.execute("SELECT text FROM invalid ORDER BY id LIMIT ?", (SAMPLE,)).fetchall()
        sample = tuple(Flow(columns.text(line)) for (line,) in lines)
        found[State.INVALID] = [Cause(State.INVALID, "", columns.number(invalid), sample)]
    return tuple(cause for state in _ORDER for cause in found.get(state, ()))


def _sample(db: sqlite3.Connection, state: State, code: str | None) -> Iterator[Flow]:
    rows = db.execute(
        "SELECT flow_id, cust_space_id FROM flow WHERE state = ? AND code IS ? ORDER BY id LIMIT ?",
        (NUMBER[state], code, SAMPLE),
    )
    return (columns.flow(flow_id, space) for flow_id, space in rows.fetchall())


def flows_by_source(db: sqlite3.Connection, total: int) -> dict[str, int]:
    """Return how many of the `total` flows were read from each source, named as in records, in the order of reading."""
    names = {
        number: source_name(columns.text(name))
        for number, name in db.execute("SELECT id, name FROM source ORDER BY id")
    }
    if len(names) == 1:  # to count takes 0.4 s for a million flows
        return dict.fromkeys(names.values(), total)
    counted = dict(db.execute("SELECT source, count(*) FROM flow GROUP BY source").fetchall())
    flows = dict.fromkeys(names.values(), 0)
    for number, name in names.items():
        flows[name] += columns.number(counted.get(number, 0))
    return flows


def flows_by_space(db: sqlite3.Connection, total: int) -> dict[str, int]:
    """Return how many of the `total` flows are in each space, the most first; "" is the account's own."""
    (elsewhere,) = db.execute("SELECT EXISTS (SELECT 1 FROM flow WHERE cust_space_id <> '')").fetchone()
    if not elsewhere:
        return {"": total} if total else {}
    counted = db.execute(
        "SELECT cust_space_id, count(*) AS flows FROM flow GROUP BY cust_space_id ORDER BY flows DESC"
    )
    return {columns.text(space): flows for space, flows in counted.fetchall()}
