"""Brakes that stop a run when answers in a row suggest that every flow would get the same one. Pure."""

from collections.abc import Sequence

from flowreaper.errors import Advice, ConsecutiveAbsencesError, ConsecutiveRefusalsError
from flowreaper.escaping import printable
from flowreaper.model import Reply, State


class AbsenceBrake:
    """Counts flows in a row that do not exist, in a job that has not deleted a single flow.

    The wrong account or space makes every flow `absent`, for good. `limit` is how many in a row stop the run, 0 for
    any number. `has_deleted`: the service has confirmed a deletion of this job, so the account is the right one
    and the brake is off. `before`: the rows of the flows that earlier runs found absent, one after another, up to now.
    """

    def __init__(self, limit: int, *, has_deleted: bool, before: Sequence[int] = ()) -> None:
        self._limit = limit
        self._off = has_deleted or limit == 0
        self._rows = dict.fromkeys(before[-(limit - 1) :] if limit > 1 else ())
        self._before = frozenset(self._rows)
        self._reopened: frozenset[int] = frozenset()
        self.engaged = False
        """Whether the limit was reached: flows that are absent from then on are not final either."""

    def record(self, row: int, state: State, *, inferred: bool) -> tuple[int, ...]:
        """Record a flow's outcome. If it engages the brake, return the rows before it that are not final after all.

        A deletion that is only inferred proves nothing: in the wrong account that flow does not exist either.
        """
        if self._off or inferred:
            return ()
        if state is State.DELETED:
            self._off = True
        if state is not State.ABSENT:
            self._rows.clear()
            return ()
        if len(self._rows) + 1 < self._limit:
            self._rows[row] = None
            return ()
        self.engaged = True
        rows = tuple(self._rows)
        self._reopened = frozenset(rows)
        self._rows.clear()
        return rows

    def earlier_among(self, rows: Sequence[int]) -> int:
        """Return how many of these rows earlier runs found absent."""
        return sum(row in self._before for row in rows)

    def may_reopen(self, row: int) -> bool:
        """Return whether a flow that was found absent may still turn out to be unproven."""
        return row in self._rows or row in self._reopened

    def error(self, reply: Reply) -> ConsecutiveAbsencesError:
        """Return the error that stops the run; `reply` is the one that engaged the brake."""
        flows = f"{self._limit} flows in a row do" if self._limit > 1 else "1 flow in a row does"
        return ConsecutiveAbsencesError(
            f"{flows} not exist, and this job has not deleted a single one yet: the access key may belong to another account, or the flows to another space or region. The last answer:"
            f" {printable(reply.code)} (HTTP {reply.status}, request id {printable(reply.request_id)}):"
            f" {printable(reply.message)}\n"
            "Nothing is lost: the next run calls these flows again. Check the access key, the endpoint and the spaces",
            Advice.ACCEPT_ABSENCES,
        )


class RefusalStreak:
    """Counts flows in a row that are refused with the same code. `limit` of them stop the run, 0 for any number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._code = ""
        self._length = 0

    def record(self, state: State, reply: Reply) -> ConsecutiveRefusalsError | None:
        """Record a flow's outcome; return the error that must stop the run, if the streak reaches the limit."""
        if state is not State.REFUSED:
            self._length = 0
            return None
        self._length = self._length + 1 if reply.code == self._code else 1
        self._code = reply.code
        if self._length != self._limit:
            return None
        code = printable(reply.code)
        return ConsecutiveRefusalsError(
            f"{self._length} flows in a row were refused with the same code, so it may concern every flow: {code}"
            f" (HTTP {reply.status}, request id {printable(reply.request_id)}): {printable(reply.message)}",
            Advice.RETRY_REFUSED,
        )
