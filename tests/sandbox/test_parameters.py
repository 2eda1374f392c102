from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.sandbox.parameters import FORM, read_parameters

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(texts.filter(bool), texts), st.dictionaries(texts.filter(bool), texts))
def test_what_query_and_form_hold_is_read_unless_both_hold_a_name(
    query: dict[str, str], form: dict[str, str]
) -> None:
    read = read_parameters(urlencode(query), FORM, urlencode(form).encode())
    if query.keys() & form.keys():
        assert read is None
        return
    assert read is not None
    assert (dict(read.query), dict(read.form)) == (query, form)
    assert {name: read.get(name) for name in (query | form)} == query | form


@given(st.text(), st.text(), st.binary())
def test_anything_is_read_or_refused(query: str, content_type: str, body: bytes) -> None:
    read_parameters(query, content_type, body)
    read_parameters(query, FORM, body)


@pytest.mark.parametrize("body", [b"FlowId=%ff", b"FlowId=\xff", b"FlowId", b"FlowId=1&FlowId=1", b"&&"])
def test_a_form_that_can_be_read_in_two_ways_is_refused(body: bytes) -> None:
    assert read_parameters("", FORM, body) is None


@pytest.mark.parametrize("content_type", ["", "application/json", "application/x-www-form-urlencoded2"])
def test_a_body_that_is_no_form_holds_nothing(content_type: str) -> None:
    assert read_parameters("a=1", content_type, b"\xff") == ([("a", "1")], [])
