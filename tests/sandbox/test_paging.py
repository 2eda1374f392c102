from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.sandbox.answer import Answer
from flowreaper.sandbox.paging import Page, PageRules, page_in_json, page_in_numbers
from flowreaper.sandbox.parameters import Parameters


def parameters(**values: str) -> Parameters:
    return Parameters(list(values.items()), [])


@given(st.integers(0, 60), st.integers(1, 30), st.integers(1, 30))
def test_the_pages_up_to_the_first_that_is_empty_hold_every_entry_once(
    total: int, size: int, cap: int
) -> None:
    entries = list(range(total))
    found: list[int] = []
    for number in count(1):
        page = Page(number, size).of(entries, PageRules(cap))
        assert len(page) <= min(size, cap)
        if not page:
            break
        found += page
    assert found == entries


def test_where_the_last_page_repeats_no_later_page_is_empty() -> None:
    rules = PageRules(cap=10, last_page_repeats=True)
    assert [list(Page(number, 2).of([1, 2, 3], rules)) for number in (1, 2, 3, 99)] == [[1, 2], [3], [3], [3]]
    assert list(Page(2, 2).of([], rules)) == []


def test_a_page_is_asked_for_as_json_or_as_numbers() -> None:
    assert page_in_json(parameters(Page='{"Index": 3, "Size": 50}')) == Page(3, 50)
    assert page_in_numbers(parameters(PageIndex="3", PageSize="50")) == Page(3, 50)


def test_who_asks_for_no_page_gets_the_first() -> None:
    assert page_in_json(parameters()) == page_in_numbers(parameters()) == Page(1, 20)
    assert page_in_json(parameters(Page='{"Index":2}')) == page_in_numbers(parameters(PageIndex="2"))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[1, 20]",
        '{"Index":0}',
        '{"Index":"1"}',
        '{"Index":true}',
        '{"Size":0}',
        '{"Size":1.5}',
        '{"Index":1e30}',
        "[" * 100_000,
    ],
)
def test_a_page_that_cannot_be_read_is_refused(text: str) -> None:
    refusal = page_in_json(parameters(Page=text))
    assert isinstance(refusal, Answer)
    assert (refusal.status, refusal.code) == (400, "InvalidPage")


@pytest.mark.parametrize("number", ["0", "-1", "x", "٣", "1e3", "9" * 5000])
def test_a_number_of_a_page_that_cannot_be_read_is_refused(number: str) -> None:
    for name in ("PageIndex", "PageSize"):
        refusal = page_in_numbers(parameters(**{name: number}))
        assert isinstance(refusal, Answer)
        assert refusal.code == "InvalidPageIndex"
