"""Which entries are on the page that a caller asks for. Pure.

Two ways to ask, by operation: Page, a JSON text such as ``{"Index": 1, "Size": 20}``, or PageIndex and PageSize.
Pages are counted from 1.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from flowreaper.sandbox.answer import Answer
from flowreaper.sandbox.parameters import Parameters
from flowreaper.sandbox.undocumented import PAGE_SIZE, invalid

_LIMIT = 10**9
_T = TypeVar("_T")


class PageRules(NamedTuple):
    """How the service cuts pages: `cap` entries at most, whatever is asked for.

    What comes after the last page is empty or, where `last_page_repeats`, the last page again.
    """

    cap: int
    last_page_repeats: bool = False


class Page(NamedTuple):
    """Page `number`, counted from 1, of pages of `size` entries."""

    number: int = 1
    size: int = PAGE_SIZE

    def of(self, entries: Sequence[_T], rules: PageRules) -> Sequence[_T]:
        """Return the page's entries."""
        size = min(self.size, rules.cap)
        last = max(1, -(-len(entries) // size))
        number = min(self.number, last) if rules.last_page_repeats else self.number
        return entries[(number - 1) * size : number * size]


def page_in_json(parameters: Parameters) -> Page | Answer:
    """Read Page; what is not given is the first page of the usual size."""
    text = parameters.get("Page")
    if not text:
        return Page()
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return invalid("Page", 'Page is a JSON object such as {"Index":1,"Size":20}.')
    return _page("Page", asked.get("Index", 1), asked.get("Size", PAGE_SIZE))


def page_in_numbers(parameters: Parameters) -> Page | Answer:
    """Read PageIndex and PageSize; what is not given is the first page of the usual size."""
    index, size = parameters.get("PageIndex") or "1", parameters.get("PageSize") or str(PAGE_SIZE)
    return _page("PageIndex", _number(index), _number(size))


def _page(parameter: str, index: object, size: object) -> Page | Answer:
    # Not isinstance: to JSON, true is no number.
    if type(index) is int and type(size) is int and 1 <= index <= _LIMIT and 1 <= size <= _LIMIT:
        return Page(index, size)
    return invalid(parameter, "A page's index and size are whole numbers from 1 on.")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0  # noqa: PLR2004 -- above _LIMIT
