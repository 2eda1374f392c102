"""Outcomes and invalid lines as records, in one shape for streams, exports and programs. Pure."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from flowreaper.model import InvalidEntry, Outcome, Record, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record_of(outcome: Outcome) -> Record:
    """Return the record of a flow's outcome."""
    claim, reply = outcome.claim, outcome.reply
    return Record(
        flow_id=claim.flow.flow_id,
        cust_space_id=claim.flow.cust_space_id or None,
        state=outcome.state,
        inferred=outcome.inferred,
        in_doubt=outcome.in_doubt,
        attempts=outcome.attempts,
        http_status=reply.status or None,
        code=reply.code or None,
        message=reply.message or None,
        request_id=reply.request_id or None,
        source=claim.source,
        line=claim.line,
        finished_at=utc_time(outcome.finished_at_ms),
    )


def record_of_invalid(entry: InvalidEntry, found_at_ms: int) -> Record:
    """Return the record of a line that was never sent: its text as flow_id, the reason as message."""
    return Record(
        flow_id=entry.text,
        cust_space_id=None,
        state=State.INVALID,
        inferred=False,
        in_doubt=False,
        attempts=0,
        http_status=None,
        code=None,
        message=entry.reason,
        request_id=None,
        source=entry.source,
        line=entry.line,
        finished_at=utc_time(found_at_ms),
    )


def utc_time(at_ms: int) -> str:
    """Write milliseconds since the epoch as UTC, ISO 8601, with milliseconds.

    Raises:
        OverflowError: outside of the years 1 to 9999.
    """
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{_utc_second(seconds)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)  # flows that stand side by side ended at nearly the same time
def _utc_second(at_s: int) -> str:
    return (_EPOCH + timedelta(seconds=at_s)).replace(tzinfo=None).isoformat()
