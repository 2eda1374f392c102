"""Which records are wanted. Pure."""

from dataclasses import dataclass

from flowreaper.model import State


@dataclass(frozen=True, slots=True)
class Selection:
    """A record is wanted if it has one of `states`, one of `codes` and one of `spaces`, and ended from `since_ms` on.

    What is empty or None asks for nothing. ``""`` among `codes` stands for no code, among `spaces` for the account's
    own. `since_ms` is in milliseconds since the epoch. An unfinished flow has not ended. An invalid line has neither
    code nor space, so it is wanted only where neither is asked for; it ended when it was read.
    `remaining` asks for the flows that a verification found there although they are recorded as deleted or absent.
    """

    states: tuple[State, ...] = ()
    codes: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    since_ms: int | None = None
    remaining: bool = False

    @property
    def takes_invalid(self) -> bool:
        """Whether invalid lines may be among what is wanted."""
        return not (self.codes or self.spaces or self.remaining) and (
            not self.states or State.INVALID in self.states
        )
