from flowreaper.model import State
from flowreaper.report.run_sum import RunSum
from tests.report.samples import run


def test_runs_add_up() -> None:
    first = run(1, counts={State.DELETED: 3}, calls=4, throttled=1, rate=5.0)
    second = run(2, counts={State.DELETED: 2, State.REFUSED: 1}, calls=3, rate=4.0)
    both = RunSum([first, second])
    assert both.counts == {State.DELETED: 5, State.REFUSED: 1}
    assert (both.calls, both.throttled, both.seconds, both.rate) == (7, 1, 7200, 5.0)
    assert (RunSum([]).counts, RunSum([]).rate) == ({}, 0.0)
