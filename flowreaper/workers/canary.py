"""The first deletions of a run, which are proven before the rest starts."""

from collections.abc import Awaitable, Callable, Sequence

from flowreaper.model import Claim, Flow, State

Prove = Callable[[Sequence[Flow]], Awaitable[None]]
"""Proves that flows are gone; raises RunError where they are not, or where that cannot be found out."""


class Canary:
    """Holds a run at its first `count` deletions until `prove` has proven them."""

    def __init__(self, count: int, prove: Prove) -> None:
        self._count = count
        self._prove = prove
        self._taken: set[int] = set()
        self._deleted: list[Flow] = []
        self._is_over = False

    @property
    def most_new(self) -> int | None:
        """How many further flows may be taken, to be looked at or called; None: any number."""
        return None if self._is_over else max(0, self._count - len(self._taken) - len(self._deleted))

    @property
    def is_due(self) -> bool:
        """Whether enough flows are deleted to be proven."""
        return not self._is_over and len(self._deleted) >= self._count

    def took(self, claims: Sequence[Claim]) -> None:
        """Count flows as taken until they are finished; one that is taken again counts once."""
        if not self._is_over:
            self._taken.update(claim.row for claim in claims)

    def finished(self, claim: Claim, state: State, *, inferred: bool) -> None:
        """Count a flow's outcome; only a deletion that the service confirmed is one to prove."""
        if self._is_over:
            return
        self._taken.discard(claim.row)
        if state is State.DELETED and not inferred:
            self._deleted.append(claim.flow)

    async def prove(self) -> None:
        """Prove the deletions so far, if there are any; then nothing is held any more.

        Raises:
            RunError: one of these flows is still there, or nobody can say.
        """
        if self._deleted and not self._is_over:
            await self._prove(self._deleted)
        self._is_over = True
        self._taken.clear()
        self._deleted.clear()
