"""Counts the attempts of a flow, and says how long it waits for the next. Pure: the randomness is an argument."""

from collections.abc import Callable

from flowreaper.client.backoff import backoff_s
from flowreaper.client.codes import is_answer
from flowreaper.model import Reply


class RetryPolicy:
    """Bounds the calls of a flow that meets transient trouble, and spaces them out.

    `max_attempts` is how many calls it gets; `luck` returns a random number from 0 to 1.
    """

    def __init__(self, max_attempts: int, luck: Callable[[], float]) -> None:
        self._max_attempts = max_attempts
        self._luck = luck

    def count(self, attempts: int, reply: Reply) -> int:
        """Return a flow's attempts after a reply: a call that was never sent is never the flow's fault."""
        return attempts + (is_answer(reply) or reply.reached)

    def is_exhausted(self, attempts: int) -> bool:
        """Return whether a flow has used up its attempts."""
        return attempts >= self._max_attempts

    def wait_s(self, attempts: int) -> float:
        """Return the seconds that a flow waits after `attempts` failed calls; after none, as after the first."""
        return backoff_s(max(1, attempts), self._luck())
