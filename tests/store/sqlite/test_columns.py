"""Columns of a file that may be damaged or forged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Flow, State
from flowreaper.store.sqlite import columns
from flowreaper.store.sqlite.states import NUMBER

values = st.none() | st.integers() | st.floats() | st.text() | st.binary()


@given(values)
def test_a_column_gives_the_type_that_belongs_there_or_a_value_error(value: object) -> None:
    for read, wanted in ((columns.text, str), (columns.number, int)):
        if isinstance(value, wanted):
            assert read(value) == value
        else:
            with pytest.raises(ValueError, match="stands where"):
                read(value)


@given(values | st.integers(-2, len(NUMBER) + 1))
def test_a_column_gives_a_state_or_a_value_error(value: object) -> None:
    if isinstance(value, int) and value in range(len(NUMBER)):
        assert NUMBER[columns.state(value)] == value
    else:
        with pytest.raises(ValueError, match=r"stands where|number of no state"):
            columns.state(value)


@pytest.mark.parametrize(
    ("flow_id", "space"), [("1\n2", ""), ("1", "\x1b"), (b"1", ""), ("1", None), (1, "")]
)
def test_what_could_never_have_been_read_is_no_flow(flow_id: object, space: object) -> None:
    with pytest.raises(ValueError, match=r"is no flow|stands where"):
        columns.flow(flow_id, space)


def test_columns_give_a_flow() -> None:
    assert columns.flow("346699123", "cams-a") == Flow("346699123", "cams-a")
    assert columns.state(NUMBER[State.DELETED]) is State.DELETED


def test_null_is_none_where_a_column_may_be_empty_and_nowhere_else() -> None:
    assert columns.optional_text(None) is None
    assert columns.optional_number(None) is None
    assert columns.optional_text("OK") == "OK"
    assert columns.optional_number(200) == 200
    with pytest.raises(ValueError, match="stands where text belongs"):
        columns.optional_text(1)
    with pytest.raises(ValueError, match="stands where a number belongs"):
        columns.optional_number("1")
