from hypothesis import given
from hypothesis import strategies as st

from flowreaper.report.buckets import bucket_step, buckets
from flowreaper.store.history import Minute
from tests.report.samples import BEGIN_MS, HOUR_MS, minutes_of, run


@given(
    st.lists(
        st.builds(
            Minute,
            run=st.just(1),
            at_s=st.integers(0, 4 * 10**9).map(lambda m: m * 60),
            calls=st.integers(0, 300),
        )
    )
)
def test_the_table_is_short_and_has_every_call(minutes: list[Minute]) -> None:
    rows = buckets(minutes, bucket_step(minutes))
    assert len(rows) <= 48
    assert sum(row.calls for row in rows) == sum(minute.calls for minute in minutes)
    assert [row.start_s for row in rows] == sorted({row.start_s for row in rows})


def test_the_step_is_the_shortest_that_keeps_it_short() -> None:
    assert bucket_step(minutes_of(run(1, BEGIN_MS, HOUR_MS // 2))) == 60
    assert bucket_step(minutes_of(run(1, BEGIN_MS, 55 * HOUR_MS))) == 7200


def test_a_row_has_the_range_of_what_was_permitted() -> None:
    (row,) = buckets(
        [
            Minute(run=1, at_s=0, permitted_per_s=4.5, silent_s=3),
            Minute(run=2, at_s=0, permitted_per_s=5.0, silent_s=4),
        ],
        60,
    )
    assert (row.permitted_per_s, row.silent_s) == ((4.5, 5.0), 7)
