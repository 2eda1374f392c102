"""Which column or field holds the ids, and which the spaces. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from flowreaper.escaping import printable
from flowreaper.model import State

_SHOWN = 20
_STATES = frozenset(state.value for state in State)

MARKED_INVALID = 'the record says that this is no flow id ("state": "invalid")'
"""The reason of an invalid entry for which `is_marked_invalid` holds."""


class Field(NamedTuple):
    """The name of a column or field: exactly `given`, if the user gave one, else `default` in any spelling."""

    given: str | None
    default: str

    @property
    def name(self) -> str:
        """The name to show."""
        return self.given or self.default

    def among(self, names: Iterable[str]) -> list[str]:
        """Return the names that match. If it is more than one, the caller must refuse."""
        names = list(names)
        exact = [name for name in names if name == self.name]
        if exact or self.given is not None:
            return exact
        return [name for name in names if _letters(name) == _letters(self.default)]


class Fields(NamedTuple):
    """The fields that are read."""

    id: Field
    space: Field


def make_fields(id_field: str | None, space_field: str | None) -> Fields:
    """Return the fields that the user names, else FlowId and CustSpaceId."""
    return Fields(Field(id_field, "FlowId"), Field(space_field, "CustSpaceId"))


def join_names(names: list[str]) -> str:
    """Return the names for a message: escaped, the first 20."""
    shown = ", ".join(printable(name, 40) for name in names[:_SHOWN])
    return shown + (", …" if len(names) > _SHOWN else "")


@lru_cache(maxsize=1024)
def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


def is_record(id_field: str, state: object) -> bool:
    """Return whether a record is flowreaper's own: an export that is read as input.

    Such a record says whose flow it is also where it names no space: the account's own.
    """
    return id_field == "flow_id" and isinstance(state, str) and state in _STATES


def is_marked_invalid(id_field: str, state: object) -> bool:
    """Return whether a record is flowreaper's own, of an invalid line: an export that is read as input.

    Its flow_id is that line's escaped text, which may look like an id.
    """
    return id_field == "flow_id" and state == State.INVALID
