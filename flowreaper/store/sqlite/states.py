"""The numbers that stand for states in a checkpoint, and the SQL comparisons with them. The only place that holds them.

The numbers of unfinished states are below those of final ones, so one comparison is enough.
"""

from flowreaper.model import FINAL, State

STATES = (
    State.PENDING,
    State.CLAIMED,
    State.DELETED,
    State.ABSENT,
    State.REFUSED,
    State.GAVE_UP,
    State.KEPT,
)
"""A state's place here is its number in the file. Invalid lines have a table of their own."""

NUMBER = {state: number for number, state in enumerate(STATES)}

_FIRST_FINAL = min(NUMBER[state] for state in FINAL if state in NUMBER)

PENDING = NUMBER[State.PENDING]
CLAIMED = NUMBER[State.CLAIMED]

IS_PENDING = f"= {PENDING}"
"""Follows a column in SQL, as do the three below: ``WHERE flow.state {IS_PENDING}``."""

IS_CLAIMED = f"= {CLAIMED}"
IS_UNFINISHED = f"< {_FIRST_FINAL}"
IS_FINAL = f">= {_FIRST_FINAL}"
