import hashlib
from collections.abc import Iterator

from flowreaper.model import Flow, Record, State
from flowreaper.report.result_list import Kind, read_list
from flowreaper.sink.formats import json_line


def record(flow_id: str, state: State = State.DELETED, code: str | None = "OK", **fields: object) -> Record:
    values: dict[str, object] = {
        "flow_id": flow_id,
        "cust_space_id": None,
        "state": state,
        "inferred": False,
        "in_doubt": False,
        "attempts": 1,
        "http_status": 200,
        "code": code,
        "message": None,
        "request_id": None,
        "source": "ids.txt",
        "line": 1,
        "finished_at": None,
    }
    return Record(**(values | fields))  # type: ignore[arg-type]  # the names of its own fields


def test_the_digest_is_of_the_bytes_that_the_records_are_written_as() -> None:
    records = [record(str(number), code=f"Code.{number % 3}\u00e9") for number in range(5000)]
    found = read_list(records, json_line)
    whole = "".join(map(json_line, records)).encode()
    assert found.sha256 == hashlib.sha256(whole).hexdigest()
    assert (found.lines, found.bytes) == (5000, len(whole))


def test_an_empty_list_has_the_digest_of_nothing() -> None:
    found = read_list([], json_line)
    assert found.sha256 == hashlib.sha256(b"").hexdigest()
    assert (found.lines, found.flows, found.first_at) == (0, 0, None)


def test_records_are_counted_by_kind_with_the_first_three_of_each() -> None:
    found = read_list(
        [
            *(record(str(number)) for number in range(5)),
            record("9", State.ABSENT, "Unknown.FlowId", cust_space_id="cams-1"),
            record("10", State.DELETED, "Unknown.FlowId", inferred=True, in_doubt=True),
            record("11", State.PENDING, None),
            record("12", State.PENDING, None, in_doubt=True),
            record("two words", State.INVALID, None),
        ],
        json_line,
    )
    assert found.samples[Kind(State.DELETED, "OK", inferred=False, in_doubt=False)] == (
        Flow("0"),
        Flow("1"),
        Flow("2"),
    )
    assert found.samples[Kind(State.ABSENT, "Unknown.FlowId", inferred=False, in_doubt=False)] == (
        Flow("9", "cams-1"),
    )
    assert found.count(State.DELETED) == 6
    assert found.count(State.DELETED, inferred=True) == 1
    assert found.count(State.PENDING, in_doubt=True) == 1
    assert (found.lines, found.flows, found.unfinished) == (10, 9, 2)


def test_the_first_and_the_last_outcome_are_found_in_whatever_order_they_came() -> None:
    times = ["2026-01-02T00:00:00.000Z", None, "2026-01-01T00:00:00.000Z", "2026-01-03T00:00:00.000Z"]
    found = read_list([record("1", finished_at=at) for at in times], json_line)
    assert (found.first_at, found.last_at) == (times[2], times[3])


def test_records_are_let_go_once_they_are_read() -> None:
    alive = 0
    most = 0

    class Watched(str):
        __slots__ = ()

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def records() -> Iterator[Record]:
        nonlocal alive, most
        for _ in range(10_000):
            alive += 1
            most = max(most, alive)
            yield record(Watched("7"), request_id=None)

    read_list(records(), json_line)
    assert most <= 10
