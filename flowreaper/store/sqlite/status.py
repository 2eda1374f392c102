"""A checkpoint's flows counted, on a connection that is passed in."""

import sqlite3
from pathlib import Path

from flowreaper.escaping import printable
from flowreaper.model import State
from flowreaper.store.sqlite import columns, file_guard, run_mark, schema
from flowreaper.store.sqlite.states import NUMBER
from flowreaper.store.store import Identity, Status

_SAFEGUARDS = ("safeguards", "backup")


def status_of(db: sqlite3.Connection, path: Path, identity: Identity | None = None) -> Status:
    """Count the flows of the checkpoint at this path, which the connection has open.

    Raises:
        CheckpointRefusedError: it is not one of this identity.
        sqlite3.Error, ValueError: it is damaged.
    """
    # Ask this first: a run that ends in between leaves no claimed flow that would count as in doubt.
    live = file_guard.has_run(path)
    job = schema.job(db)
    if identity:
        schema.check_identity(job, printable(str(path)), identity)
    codes: dict[State, dict[str, int]] = {}
    found = db.execute(
        "SELECT state, code, count(*) FROM flow GROUP BY state, code ORDER BY state, count(*) DESC"
    ).fetchall()
    for number, code, count in found:
        codes.setdefault(columns.state(number), {})[columns.optional_text(code) or ""] = count
    (invalid,) = db.execute("SELECT count(*) FROM invalid").fetchone()
    if invalid:
        codes[State.INVALID] = {"": invalid}
    # A flow deleted by inference has a code of absence, so the index finds these few.
    inferred = sum(
        db.execute(
            "SELECT count(*) FROM flow WHERE state = ? AND code IS ? AND inferred = 1",
            (NUMBER[State.DELETED], code or None),
        ).fetchone()[0]
        for code in codes.get(State.DELETED, {})
        if code != "OK"
    )
    (in_doubt,) = db.execute(schema.COUNT_IN_DOUBT_DURING_A_RUN if live else schema.COUNT_IN_DOUBT).fetchone()
    return Status(
        endpoint=job.get("endpoint", ""),
        sandbox=job.get("sandbox") == "yes",
        access_key=job.get("access_key", ""),
        states={state: sum(counts.values()) for state, counts in codes.items()},
        inferred=inferred,
        in_doubt=in_doubt,
        codes=codes,
        account=job.get("account", ""),
        arn=job.get("arn", ""),
        safeguards={name: job[name] for name in _SAFEGUARDS if job.get(name)},
        plan=job.get("plan", ""),
        live=live,
        holder=run_mark.parse_holder(job.get(run_mark.RUN)) if live else None,
        under_way=sum(codes.get(State.CLAIMED, {}).values()) if live else 0,
    )
