"""What a command says of options that match nothing in a checkpoint: a mistyped code must not look like success."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flowreaper.cli.suggestions import did_you_mean
from flowreaper.escaping import printable
from flowreaper.model import State
from flowreaper.store.records import utc_time
from flowreaper.store.selection import Selection
from flowreaper.store.store import Status

NONE = "-"
"""What stands on the command line for no code, and for the account's own space."""

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a checkpoint holds. `spaces` counts its flows by space; `newest_ms` is when the last one ended, 0: none."""

    name: str
    status: Status
    spaces: Mapping[str, int]
    newest_ms: int


def notes(wanted: Selection, holds: Holdings, *, found: bool) -> list[str]:
    """Return what to say of a selection: each code and space that no flow has, and why nothing was found."""
    unknown = unknown_codes(wanted.codes, holds.name, holds.status) + [
        _unknown(f"no flow of {holds.name} is of the space", space, holds.spaces, "space")
        for space in wanted.spaces
        if space not in holds.spaces
    ]
    return unknown if found or unknown else [_nothing(wanted, holds)]


def unknown_codes(wanted: Iterable[str], name: str, status: Status) -> list[str]:
    """Return a sentence about each code that no flow of the checkpoint of this name has."""
    codes: dict[str, int] = {}
    for by_code in (counts for state, counts in status.codes.items() if state is not State.INVALID):
        for code, count in by_code.items():
            codes[code] = codes.get(code, 0) + count
    return [
        _unknown(f"no flow of {name} has the code", code, codes, "code")
        for code in wanted
        if code not in codes
    ]


def _unknown(what: str, value: str, known: Mapping[str, int], kind: str) -> str:
    shown = printable(value or NONE, 80)
    there = f" Its {kind}s: {_listed((name or NONE, n) for name, n in _by_count(known))}" if known else ""
    return f"{what} {shown}.{did_you_mean(value, known)}{there}"


def _nothing(wanted: Selection, holds: Holdings) -> str:
    states = {state.value: count for state, count in holds.status.states.items() if count}
    if not states:
        return f"{holds.name} holds nothing yet"
    if wanted.remaining:
        return f"no verification has found a flow there that {holds.name} records as deleted or absent"
    there = _listed(_by_count(states))
    if wanted.states and not any(state.value in states for state in wanted.states):
        return f"nothing in {holds.name} is {' or '.join(s.value for s in wanted.states)}. It holds {there}"
    if wanted.since_ms is not None and holds.newest_ms < wanted.since_ms:
        newest = (
            f"the last one ended at {utc_time(holds.newest_ms)}"
            if holds.newest_ms
            else "nothing has ended yet"
        )
        return f"nothing in {holds.name} ended at or after {utc_time(wanted.since_ms)}: {newest}"
    return f"nothing in {holds.name} matches all of these options together. It holds {there}"


def _by_count(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: -item[1])


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    names = [f"{printable(name, 80)} ({count:,})" for name, count in counts]
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
