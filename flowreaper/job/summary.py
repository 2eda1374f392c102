"""How far a run is."""

from dataclasses import dataclass

from flowreaper.model import State


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
