"""What a run reports: what it found at its start, what its input held, how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowreaper.model import State


@dataclass(frozen=True, slots=True)
class Opened:
    """What a checkpoint holds when a run begins: flows by state, and how many of them will be called for sure."""

    counts: Mapping[State, int]
    to_call: int


@dataclass(frozen=True, slots=True)
class InputRead:
    """What an input held: flows to call, known or repeated ones, and unfinished ones that it does not list."""

    to_call: int
    repeated: int
    unlisted: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How far a run is. `done` are this run's outcomes by state, `left` the flows without one.

    `silent_s` is for how long nothing has answered, None where there is no outage.
    """

    done: dict[State, int]
    left: int
    in_flight: int
    calls: int
    throttled: int
    silent_s: float | None
    reading: bool
    elapsed_s: float
