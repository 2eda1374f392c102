"""Rows of the tables `flow` and `invalid` as records, their values checked as `columns` does."""

from collections.abc import Mapping, Sequence

from flowreaper.model import InvalidEntry, Record
from flowreaper.store.records import record_of_invalid, record_of_row
from flowreaper.store.sqlite import columns

FLOW_COLUMNS = (
    "flow_id, cust_space_id, state, inferred, in_doubt, attempts, http_status, code, message,"
    " request_id, source, line, finished_at_ms"
)
INVALID_COLUMNS = "text, reason, source, line, found_at_ms"


def flow_record(row: Sequence[object], sources: Mapping[object, object]) -> Record:
    """Return the record of a row of `FLOW_COLUMNS`; `sources` are the names of sources by number."""
    flow_id, space, number, inferred, doubt, attempts, status, code, message, request, source, line, at = row
    return record_of_row(
        columns.flow(flow_id, space),
        columns.state(number),
        inferred=bool(inferred),
        in_doubt=bool(doubt),
        attempts=columns.number(attempts),
        http_status=columns.optional_number(status),
        code=columns.optional_text(code),
        message=columns.optional_text(message),
        request_id=columns.optional_text(request),
        source=columns.optional_text(sources.get(source)),
        line=columns.number(line),
        finished_at_ms=columns.optional_number(at),
    )


def invalid_record(row: Sequence[object], sources: Mapping[object, object]) -> Record:
    """Return the record of a row of `INVALID_COLUMNS`; `sources` are the names of sources by number."""
    text, reason, source, line, at = row
    entry = InvalidEntry(
        columns.text(text),
        columns.text(reason),
        columns.text(sources.get(source, "")),
        columns.number(line),
    )
    return record_of_invalid(entry, columns.number(at))
