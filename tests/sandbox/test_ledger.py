from hypothesis import given
from hypothesis import strategies as st

from flowreaper.sandbox.ledger import Ledger


def filled(total: int, limit: int) -> Ledger:
    ledger = Ledger(limit)
    for n in range(total):
        ledger.arrive(at_s=float(n), flow_id=str(n), cust_space_id="", peer_port=1)
    return ledger


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 40), st.integers(1, 10))
def test_a_page_holds_the_kept_calls_after_a_number(total: int, limit: int, since: int, size: int) -> None:
    kept = range(max(0, total - limit) + 1, total + 1)
    page = filled(total, limit).page(since, size)
    assert [call.number for call in page] == [number for number in kept if number > since][:size]


def test_only_the_newest_calls_are_kept_but_all_are_counted() -> None:
    ledger = filled(5, 2)
    assert (ledger.total, [call.number for call in ledger.calls]) == (5, [4, 5])
