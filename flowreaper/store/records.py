"""Outcomes, rows and invalid lines as records: one shape for streams, exports and programs. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flowreaper.model import Flow, InvalidEntry, Outcome, Record, State

_SHOWN = {"-": "stdin", "stdin": "./stdin"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_of(outcome: Outcome) -> Record:
    """Return the record of a flow's outcome."""
    claim, reply = outcome.claim, outcome.reply
    return record_of_row(
        claim.flow,
        outcome.state,
        inferred=outcome.inferred,
        in_doubt=outcome.in_doubt,
        attempts=outcome.attempts,
        http_status=reply.status,
        code=reply.code,
        message=reply.message,
        request_id=reply.request_id,
        source=claim.source,
        line=claim.line,
        finished_at_ms=outcome.finished_at_ms,
    )


def record_of_invalid(entry: InvalidEntry, found_at_ms: int) -> Record:
    """Return the record of a line that was never sent: its text as flow_id, the reason as message.

    `found_at_ms` is in milliseconds since the epoch.
    """
    return record_of_row(
        Flow(entry.text),
        State.INVALID,
        message=entry.reason,
        source=entry.source,
        line=entry.line,
        finished_at_ms=found_at_ms,
    )


def record_of_row(
    flow: Flow,
    state: State,
    *,
    source: str | None,
    line: int,
    inferred: bool = False,
    in_doubt: bool = False,
    attempts: int = 0,
    http_status: int | None = None,
    code: str | None = None,
    message: str | None = None,
    request_id: str | None = None,
    finished_at_ms: int | None = None,
) -> Record:
    """Return the record of a flow as a store keeps it, finished or not: what is empty or 0 there is not known.

    `finished_at_ms` is in milliseconds since the epoch. A claimed flow is in doubt: its call may have been sent.

    Raises:
        OverflowError: as `utc_time`.
    """
    return Record(
        flow_id=flow.flow_id,
        cust_space_id=flow.cust_space_id or None,
        state=state,
        inferred=inferred,
        in_doubt=in_doubt or state is State.CLAIMED,
        attempts=attempts,
        http_status=http_status or None,
        code=code or None,
        message=message or None,
        request_id=request_id or None,
        source=None if source is None else source_name(source),
        line=line,
        finished_at=None if finished_at_ms is None else utc_time(finished_at_ms),
    )


def source_name(kept: str) -> str:
    """Return the name of a source as records show it: standard input, kept as ``-``, is ``stdin``.

    A file that was given as ``stdin`` is ``./stdin``, so that the two differ.
    """
    return _SHOWN.get(kept, kept)


def utc_time(at_ms: int) -> str:
    """Write milliseconds since the epoch as UTC, ISO 8601, with milliseconds.

    Raises:
        OverflowError: outside of the years 1 to 9999.
    """
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_utc_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)  # neighbouring flows end at nearly the same time
def _utc_second(at_s: int) -> str:
    return (_EPOCH + timedelta(seconds=at_s)).replace(tzinfo=None).isoformat()
