"""How many flows a run may call: numbers, shares, and what neither is."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import Advice, ConfigurationError, TooManyFlowsError
from flowreaper.job.max_delete import MaxDelete, parse_max_delete


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0", MaxDelete(flows=0)),
        (500, MaxDelete(flows=500)),
        ("500", MaxDelete(flows=500)),
        ("10%", MaxDelete(percent=Fraction(10))),
        ("0.5%", MaxDelete(percent=Fraction(1, 2))),
        ("100%", MaxDelete(percent=Fraction(100))),
        ("0%", MaxDelete(percent=Fraction(0))),
    ],
)
def test_a_number_or_a_share_is_read(text: int | str, meant: MaxDelete) -> None:
    assert parse_max_delete(text) == meant


@pytest.mark.parametrize(
    "text", ["", "-1", -1, "ten", "10 %", "%", "101%", "100.1%", "1e3", "1.5", "10%\n", "٣", "9" * 19, "nan%"]
)
def test_anything_else_is_refused_with_the_value(text: int | str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^max_delete must be a number of flows, or a share"
    ) as raised:
        parse_max_delete(text)
    assert raised.value.setting == "max_delete"


def test_a_refusal_names_both_numbers() -> None:
    with pytest.raises(
        TooManyFlowsError, match=r"^1,001 flows would be called, and at most 1,000 may be;"
    ) as raised:
        MaxDelete(flows=1000).require(1001)
    assert raised.value.advice is Advice.ALLOW_MORE


def test_a_refusal_of_a_share_names_what_it_was_reckoned_from() -> None:
    with pytest.raises(TooManyFlowsError, match=r"at most 10 may be \(10% of the 100 flows"):
        parse_max_delete("10%").require(11, 100)


@given(most=st.integers(0, 10**6), to_call=st.integers(0, 10**6))
def test_no_more_than_the_number_may_be_called(most: int, to_call: int) -> None:
    assert _allows(MaxDelete(flows=most), to_call) == (to_call <= most)


@given(
    percent=st.fractions(0, 100, max_denominator=1000),
    to_call=st.integers(0, 10**6),
    existing=st.integers(0, 10**6),
)
def test_no_more_than_the_share_may_be_called(percent: Fraction, to_call: int, existing: int) -> None:
    assert _allows(MaxDelete(percent=percent), to_call, existing) == (to_call * 100 <= existing * percent)


def _allows(most: MaxDelete, to_call: int, existing: int = 0) -> bool:
    try:
        most.require(to_call, existing)
    except TooManyFlowsError:
        return False
    return True
