"""Ends flows: records their outcomes, and says when outcomes in a row must stop the run."""

import time
from collections.abc import Callable
from typing import NamedTuple

from flowreaper.errors import RunError
from flowreaper.events import Log
from flowreaper.model import Claim, Finding, Outcome, Reopen, Reply, State, Unsent
from flowreaper.workers.canary import Canary
from flowreaper.workers.ports import OutcomeSink
from flowreaper.workers.stop_rules import AbsenceBrake, RefusalStreak

_WARNED_OF = (State.REFUSED, State.GAVE_UP)


class Conclusion(NamedTuple):
    """What follows from a final reply: the error that must stop the run; or that the reply proves nothing."""

    error: RunError | None = None
    proves_nothing: bool = False


class Outcomes:
    """Records the outcomes of one account's flows. `now` returns seconds since the epoch."""

    def __init__(
        self,
        sink: OutcomeSink,
        absences: AbsenceBrake,
        refusals: RefusalStreak,
        *,
        log: Log,
        canary: Canary | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._absences = absences
        self._refusals = refusals
        self._log = log
        self._canary = canary
        self._now = now

    def conclude(
        self, claim: Claim, state: State, reply: Reply, attempts: int, *, in_doubt: bool, sent: bool = True
    ) -> Conclusion:
        """End a flow with a final reply, unless the absence brake says that the reply proves nothing.

        A flow in doubt that is absent is deleted, by inference. `sent` is False for a flow that was only looked at.
        """
        inferred = state is State.ABSENT and in_doubt
        if inferred:
            state = State.DELETED
        if state is State.ABSENT and self._absences.engaged:
            return Conclusion(proves_nothing=True)
        reopened = self._absences.record(claim.row, state, inferred=inferred)
        if state is State.ABSENT and self._absences.engaged:
            self._sink.put(Reopen(reopened, self._absences.earlier_among(reopened)))
            return Conclusion(self._absences.error(reply), proves_nothing=True)
        self.finish(claim, state, reply, attempts, in_doubt=in_doubt, inferred=inferred, sent=sent)
        return Conclusion(self._refusals.record(state, reply))

    def settle(self, claim: Claim, finding: Finding) -> RunError | None:
        """End a flow that was only looked at; return the error that must stop the run, if there is one.

        Where the absence brake is engaged, the flow stays unfinished, for the next run.
        """
        state, reply = finding.state, finding.reply
        if state is None:
            raise ValueError(f"the guard let {claim.flow} pass")
        if state is State.GAVE_UP:
            self.finish(
                claim, state, reply, claim.attempts, in_doubt=claim.in_doubt, inferred=False, sent=False
            )
            return None
        in_doubt = claim.in_doubt and state is not State.KEPT  # only a flow that was seen is kept
        return self.conclude(claim, state, reply, claim.attempts, in_doubt=in_doubt, sent=False).error

    def finish(
        self,
        claim: Claim,
        state: State,
        reply: Reply,
        attempts: int,
        *,
        in_doubt: bool,
        inferred: bool,
        sent: bool = True,
    ) -> None:
        """Record a flow's outcome."""
        outcome = Outcome(claim, state, inferred, in_doubt, attempts, reply, int(self._now() * 1000))
        self._sink.put(outcome if sent else Unsent(outcome))
        if self._canary:
            self._canary.finished(claim, state, inferred=inferred)
        if state in _WARNED_OF:
            self._log.warning(
                f"flow.{state.value}",
                flow_id=claim.flow.flow_id,
                cust_space_id=claim.flow.cust_space_id,
                code=reply.code,
                message=reply.message,
                request_id=reply.request_id,
            )
