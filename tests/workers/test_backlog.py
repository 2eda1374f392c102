from flowreaper.model import Claim, Flow
from flowreaper.workers.backlog import Backlog


def claims(*rows: int) -> list[Claim]:
    return [
        Claim(row, Flow(str(row)), attempts=0, in_doubt=False, source="ids.txt", line=row) for row in rows
    ]


def wanted(backlog: Backlog, now: float = 0.0) -> tuple[list[int], int]:
    return backlog.wanted(now, backlog.room)


def test_flows_are_claimed_half_a_second_ahead_and_at_least_three() -> None:
    assert wanted(Backlog(5, None)) == ([], 3)
    assert wanted(Backlog(100, None)) == ([], 50)
    assert wanted(Backlog(1_000_000, None)) == ([], 1000)


def test_nothing_is_claimed_while_more_than_half_is_left() -> None:
    backlog = Backlog(5, None)
    _, new = wanted(backlog, 0.0)
    backlog.claimed(claims(1, 2, 3), due=0, new=new)
    assert wanted(backlog, 0.0) == ([], 0)
    backlog.ready.popleft()
    backlog.ready.popleft()
    assert wanted(backlog, 0.0) == ([], 2)


def test_rows_left_claimed_come_before_all_others() -> None:
    backlog = Backlog(5, None)
    backlog.take_first([7, 9])
    assert wanted(backlog, 0.0) == ([7, 9], 1)


def test_a_flow_waits_until_it_is_due_and_comes_before_new_ones() -> None:
    backlog = Backlog(5, None)
    backlog.requeue(4, due_at=10.0)
    assert backlog.next_due() == 10.0
    assert wanted(backlog, 9.9) == ([], 3)
    backlog.claimed([], due=0, new=3)
    assert wanted(backlog, 10.0) == ([4], 0)
    assert backlog.waiting == 0


def test_an_empty_answer_means_no_more_until_flows_are_added() -> None:
    backlog = Backlog(5, None)
    wanted(backlog, 0.0)
    backlog.claimed(claims(1), due=0, new=3)
    backlog.ready.clear()
    assert wanted(backlog, 0.0) == ([], 0)
    backlog.flows_added()
    assert wanted(backlog, 0.0) == ([], 3)


def test_flows_added_while_a_claim_is_under_way_are_not_overlooked() -> None:
    backlog = Backlog(5, None)
    wanted(backlog, 0.0)
    backlog.flows_added()
    backlog.claimed([], due=0, new=3)
    assert wanted(backlog, 0.0) == ([], 3)


def test_no_more_flows_are_taken_than_the_limit() -> None:
    backlog = Backlog(5, limit=4)
    backlog.take_first([1, 2])
    assert wanted(backlog, 0.0) == ([1, 2], 1)
    backlog.claimed(claims(1, 2, 3), due=2, new=1)
    backlog.ready.clear()
    assert wanted(backlog, 0.0) == ([], 1)
    backlog.claimed(claims(4), due=0, new=1)
    backlog.ready.clear()
    assert wanted(backlog, 0.0) == ([], 0)
    assert backlog.limit_reached


def test_a_flow_that_comes_again_does_not_count_twice_against_the_limit() -> None:
    backlog = Backlog(5, limit=2)
    backlog.claimed(claims(1), due=0, new=wanted(backlog, 0.0)[1])
    backlog.ready.clear()
    backlog.requeue(1, due_at=0.0)
    backlog.flows_added()
    assert wanted(backlog, 0.0) == ([1], 1)


def test_a_limit_below_the_rows_left_claimed_takes_the_first_of_them() -> None:
    backlog = Backlog(5, limit=2)
    backlog.take_first([7, 8, 9])
    assert wanted(backlog, 0.0) == ([7, 8], 0)


def test_it_is_exhausted_when_nothing_is_ready_waiting_or_to_be_read() -> None:
    backlog = Backlog(5, None)
    backlog.claimed([], due=0, new=wanted(backlog, 0.0)[1])
    assert not backlog.exhausted()
    backlog.more_to_read = False
    assert backlog.exhausted()
    backlog.requeue(1, due_at=99.0)
    assert not backlog.exhausted()


def test_nothing_new_is_taken_while_ten_thousand_flows_wait() -> None:
    backlog = Backlog(5, None)
    for row in range(10_000):
        backlog.requeue(row, due_at=50.0)
    assert wanted(backlog, 0.0) == ([], 0)


def test_how_many_remain_is_unknown_while_there_may_be_pending_flows() -> None:
    backlog = Backlog(5, None)
    backlog.requeue(9, due_at=50.0)
    assert backlog.remaining is None
    backlog.claimed(claims(1, 2), due=0, new=wanted(backlog, 0.0)[1])
    assert backlog.remaining == 3
    backlog.flows_added()
    assert backlog.remaining is None
