"""The brake on a job that finds nothing: the wrong account or space would make every flow `absent`, for good. Pure."""

from collections.abc import Sequence

from flowreaper.model import State


class AbsenceBrake:
    """Counts flows in a row that do not exist, in a job that has not deleted a single flow.

    `limit` is how many in a row stop the run, 0: any number. `has_deleted`: the service has confirmed a deletion
    of this job, so the account is the right one and the brake is off. `before`: the rows of the flows that earlier
    runs found absent, one after another, up to now.
    """

    def __init__(self, limit: int, *, has_deleted: bool, before: Sequence[int] = ()) -> None:
        self._limit = limit
        self._off = has_deleted or limit == 0
        self._rows = list(before[-(limit - 1) :]) if limit > 1 else []
        self.engaged = False
        """Whether the limit was reached: flows that are absent from then on are not final either."""

    def ended(self, row: int, state: State, *, inferred: bool) -> tuple[int, ...]:
        """Count a flow's outcome; return the rows before it that are not final after all, if it engages the brake.

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
            self._rows.append(row)
            return ()
        self.engaged = True
        rows = tuple(self._rows)
        self._rows.clear()
        return rows
