"""Records reach those who wait for them, by identity."""

from flowreaper.job.ledger import Ledger
from flowreaper.model import Record
from flowreaper.store.records import record_of, record_of_invalid
from tests.samples import AT_MS, claim, entries, invalid, outcome


class Keeper:
    def __init__(self) -> None:
        self.settled: list[tuple[str, object, bool]] = []

    def settle(self, record: Record, tag: object, *, earlier: bool) -> None:
        self.settled.append((record.flow_id, tag, earlier))


def test_a_record_goes_to_all_that_wait_for_its_flow_once() -> None:
    ledger, first, second = Ledger(), Keeper(), Keeper()
    (entry,) = entries("7")
    ledger.expect(entry, first, "a")
    ledger.expect(entry, second, "b")
    ledger.expect(entry, first, "c")
    ledger.put(record_of(outcome(claim(flow_id="7"))))
    ledger.found(record_of(outcome(claim(flow_id="7"))))
    assert first.settled == [("7", "a", False), ("7", "c", False)]
    assert second.settled == [("7", "b", False)]


def test_a_flow_of_another_space_and_an_invalid_line_of_the_same_text_are_others() -> None:
    ledger, keeper = Ledger(), Keeper()
    (own,), (foreign,) = entries("7"), entries("7", space="cams-a")
    line = invalid("7")
    ledger.expect(own, keeper, "own")
    ledger.expect(foreign, keeper, "foreign")
    ledger.expect(line, keeper, "line")
    ledger.found(record_of_invalid(line, AT_MS))
    ledger.put(record_of(outcome(claim(flow_id="7", space="cams-a"))))
    assert keeper.settled == [("7", "line", True), ("7", "foreign", False)]


def test_a_record_that_nobody_waits_for_is_passed_over() -> None:
    Ledger().put(record_of(outcome(claim(flow_id="7"))))
