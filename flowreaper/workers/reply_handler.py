"""What a reply does: to its flow, and to the run. It sends nothing, and waits for nothing but a repair."""

import asyncio
import logging
from collections.abc import Mapping

from flowreaper.client.codes import advice_for, classify, explain, is_answer
from flowreaper.client.repair import Repair
from flowreaper.errors import FatalReplyError, RunError
from flowreaper.events import Log
from flowreaper.model import Claim, Reply, ReplyClass, Requeue, State
from flowreaper.workers.attempts import RetryPolicy
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.outcomes import Outcomes
from flowreaper.workers.ports import OutcomeSink, RateLimiter

_LONGEST_WAIT_S = 300.0
_WORTH_LOGGING_S = 5.0

FINAL_STATES = {
    ReplyClass.DELETED: State.DELETED,
    ReplyClass.ABSENT: State.ABSENT,
    ReplyClass.REFUSED: State.REFUSED,
}
"""The state of a flow after a final reply. A flow in doubt that is absent counts as deleted, by inference."""


class ReplyHandler:
    """Handles the replies of one account's calls.

    `overrides` says what codes mean, before the table of codes.
    """

    def __init__(
        self,
        *,
        backlog: Backlog,
        sink: OutcomeSink,
        limiter: RateLimiter,
        breaker: CircuitBreaker,
        retry: RetryPolicy,
        repair: Repair,
        outcomes: Outcomes,
        overrides: Mapping[str, ReplyClass],
        log: Log,
    ) -> None:
        self._backlog = backlog
        self._sink = sink
        self._limiter = limiter
        self._breaker = breaker
        self._retry = retry
        self._repair = repair
        self._outcomes = outcomes
        self._overrides = overrides
        self._log = log
        self._warned_of_other_clients = False
        self.throttled = 0
        """How many calls the service refused for their pace."""

    @property
    def credentials_generation(self) -> int:
        """Which credentials and clock a call is signed with now; each repair makes another generation."""
        return self._repair.credentials_generation

    async def handle(
        self, claim: Claim, reply: Reply, sent_at: float, credentials_generation: int
    ) -> RunError | None:
        """Do what a reply asks for; return the error that must stop the run, if there is one.

        `sent_at` is when the call was sent, on the event loop's clock; `credentials_generation` is the property of
        that name at that moment.
        """
        reply_class, doubt = classify(reply, in_doubt=claim.in_doubt, overrides=self._overrides)
        in_doubt = claim.in_doubt or doubt
        if self._log.is_enabled_for(logging.DEBUG):
            self._log_reply(claim, reply, reply_class, sent_at)
        if is_answer(reply):
            self._record_answer()
        match reply_class:
            case ReplyClass.TRANSIENT:
                self._retry_later(claim, reply, sent_at, in_doubt=in_doubt)
            case ReplyClass.THROTTLED:
                self.throttled += 1
                self._limiter.throttled(sent_at, self._requested_wait_s(reply))
                self._requeue(claim, claim.attempts, in_doubt=in_doubt)
            case ReplyClass.RENEW | ReplyClass.CLOCK:
                self._requeue(claim, claim.attempts, in_doubt=in_doubt)
                return await self._repair.attempt(reply_class, reply, credentials_generation)
            case ReplyClass.FATAL:
                self._requeue(claim, claim.attempts, in_doubt=in_doubt)
                return FatalReplyError(explain(reply), advice_for(reply))
            case ReplyClass.DELETED | ReplyClass.ABSENT | ReplyClass.REFUSED:
                return self._conclude(claim, reply, reply_class, in_doubt=in_doubt)
        return None

    def _conclude(
        self, claim: Claim, reply: Reply, reply_class: ReplyClass, *, in_doubt: bool
    ) -> RunError | None:
        """Finish a flow with a final reply, unless the reply proves nothing: then it is called again."""
        self._repair.record_success()
        self._warn_of_other_clients()
        attempts = self._retry.count(claim.attempts, reply)
        state = FINAL_STATES[reply_class]
        conclusion = self._outcomes.conclude(claim, state, reply, attempts, in_doubt=in_doubt)
        if conclusion.proves_nothing:
            self._requeue(claim, claim.attempts, in_doubt=in_doubt)
        return conclusion.error

    def _retry_later(self, claim: Claim, reply: Reply, sent_at: float, *, in_doubt: bool) -> None:
        """Requeue a flow after transient trouble, or give it up when its attempts are used up."""
        attempts = claim.attempts - self._breaker.refund(claim.row)
        if not is_answer(reply):
            self._record_failure(claim, reply, sent_at)
            if self._breaker.is_open:
                # The probes set the pace now. Calls that opened the breaker are no attempts of this flow.
                attempts -= self._breaker.refund(claim.row)
                self._requeue(claim, max(0, attempts), in_doubt=in_doubt)
                return
        attempts = self._retry.count(attempts, reply)
        if self._retry.is_exhausted(attempts) and not self._breaker.half_suspected:
            self._outcomes.finish(claim, State.GAVE_UP, reply, attempts, in_doubt=in_doubt, inferred=False)
        else:
            self._requeue(claim, attempts, in_doubt=in_doubt, wait_s=self._retry.wait_s(attempts))

    def _requeue(self, claim: Claim, attempts: int, *, in_doubt: bool, wait_s: float = 0.0) -> None:
        self._sink.put(Requeue(claim.row, attempts, in_doubt))
        self._backlog.requeue(claim.row, asyncio.get_running_loop().time() + wait_s)

    def _record_answer(self) -> None:
        since = self._breaker.record_success()
        if since is not None:
            seconds = asyncio.get_running_loop().time() - since
            self._log.info("outage.ended", seconds=round(seconds, 1))

    def _record_failure(self, claim: Claim, reply: Reply, sent_at: float) -> None:
        remaining = self._backlog.remaining
        opened = self._breaker.record_failure(
            claim.row,
            reply,
            sent_at,
            asyncio.get_running_loop().time(),
            flows_left=None if remaining is None else remaining + 1,
        )
        if opened:
            self._log.warning("outage.began", http_status=reply.status, message=reply.message)

    def _requested_wait_s(self, reply: Reply) -> float:
        """Return how long the service asks to wait; longer than five minutes is a gateway's mistake."""
        wait_s = min(reply.retry_after_ms / 1000, _LONGEST_WAIT_S)
        if wait_s >= _WORTH_LOGGING_S:
            self._log.warning("pace.waiting", seconds=wait_s, code=reply.code)
        return wait_s

    def _warn_of_other_clients(self) -> None:
        if not self.throttled or self._warned_of_other_clients:
            return
        rate = self._limiter.other_clients_rate
        if rate is not None:
            self._warned_of_other_clients = True
            self._log.warning("pace.quota_shared", others_per_s=round(rate, 1))

    def _log_reply(self, claim: Claim, reply: Reply, reply_class: ReplyClass, sent_at: float) -> None:
        self._log.debug(
            "call.answered",
            flow_id=claim.flow.flow_id,
            cust_space_id=claim.flow.cust_space_id,
            reply_class=reply_class.value,
            http_status=reply.status,
            code=reply.code,
            message=reply.message,
            request_id=reply.request_id,
            ms=round((asyncio.get_running_loop().time() - sent_at) * 1000),
        )
