"""Values of a checkpoint's columns, checked: the file may be damaged or forged, and SQLite keeps any type anywhere.

Each function takes what a column holds, and raises ValueError where it is not what belongs there.
"""

import math

from flowreaper.escaping import printable
from flowreaper.model import Flow, State
from flowreaper.store.sqlite.states import STATES

_YEAR_9999_MS = 253_370_764_800_000


def text(value: object) -> str:
    """Return a text column's value."""
    if not isinstance(value, str):
        raise ValueError(f"{printable(repr(value))} stands where text belongs")  # noqa: TRY004 -- the file's value is wrong, not an argument's type
    return value


def optional_text(value: object) -> str | None:
    """Return the value of a text column that may be NULL."""
    return None if value is None else text(value)


def number(value: object) -> int:
    """Return the value of a column of whole numbers."""
    if not isinstance(value, int):
        raise ValueError(f"{printable(repr(value))} stands where a number belongs")  # noqa: TRY004 -- as in `text`
    return value


def optional_number(value: object) -> int | None:
    """Return the value of a column of whole numbers that may be NULL."""
    return None if value is None else number(value)


def amount(value: object) -> float:
    """Return the value of a column of real numbers, none of them negative."""
    if not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{printable(repr(value))} stands where an amount belongs")
    return float(value)


def time_ms(value: object) -> int:
    """Return the value of a column of times, in milliseconds since the epoch: of the years 1970 to 9998."""
    at_ms = number(value)
    if not 0 <= at_ms < _YEAR_9999_MS:
        raise ValueError(f"{at_ms} is the time of no run")
    return at_ms


def state(value: object) -> State:
    """Return the state that a number in the file stands for."""
    place = number(value)
    if not 0 <= place < len(STATES):
        raise ValueError(f"{place} is the number of no state")
    return STATES[place]


def flow(flow_id: object, cust_space_id: object) -> Flow:
    """Return a row's flow; what could never have been read as an id is none."""
    found = Flow(text(flow_id), text(cust_space_id))
    if not (found.flow_id.isprintable() and found.cust_space_id.isprintable()):
        raise ValueError(f"{printable(repr(tuple(found)))} is no flow")
    return found
