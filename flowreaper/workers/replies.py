"""What a reply does: to its flow, and to the run. It sends nothing, and waits for nothing but a repair."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from flowreaper.client.codes import advice_for, classify, explain
from flowreaper.errors import (
    Advice,
    ConsecutiveAbsencesError,
    ConsecutiveRefusalsError,
    FatalReplyError,
    OutageError,
    RunError,
)
from flowreaper.escaping import printable
from flowreaper.events import Log
from flowreaper.model import Change, Claim, Outcome, Reopen, Reply, ReplyClass, Requeue, State
from flowreaper.workers.absences import AbsenceBrake
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.circuit_breaker import CircuitBreaker
from flowreaper.workers.retry import backoff_s

_SERVER_ERROR = 500
_LONGEST_WISH_S = 300.0
_WORTH_TELLING_S = 5.0
_MINUTES_FROM_S = 120


class Ledger(Protocol):
    """Where outcomes go to."""

    def put(self, change: Change) -> None:
        """Record a change soon."""
        ...


class Gate(Protocol):
    """What learns from replies about the account's pace."""

    @property
    def other_clients_rate(self) -> float | None:
        """How many calls a second somebody else seems to spend; None while nothing speaks for that."""
        ...

    def throttled(self, sent_at: float, retry_after_s: float) -> None:
        """Take note that it refused it for its pace."""
        ...


class Account(Protocol):
    """What can be mended about an account's calls."""

    async def renew_credentials(self) -> None:
        """Fetch the credentials again; raises RunError."""
        ...

    def correct_clock(self, date: str) -> bool:
        """Follow the service's Date header; return whether that changed anything."""
        ...


class ReplyHandler:
    """Settles the replies of one account's calls.

    `max_attempts` bounds the calls of a flow that meet transient trouble, `max_refusals` the flows in a row
    that may be refused with the same code (0: any number); `treat` says what codes mean, before the table.
    `luck` returns a random number from 0 to 1, `now` seconds since the epoch.
    """

    def __init__(
        self,
        *,
        backlog: Backlog,
        ledger: Ledger,
        gate: Gate,
        account: Account,
        outage: CircuitBreaker,
        absences: AbsenceBrake,
        log: Log,
        max_attempts: int,
        max_refusals: int,
        treat: Mapping[str, ReplyClass],
        luck: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._backlog = backlog
        self._ledger = ledger
        self._gate = gate
        self._account = account
        self._outage = outage
        self._absences = absences
        self._log = log
        self._max_attempts = max_attempts
        self._max_refusals = max_refusals
        self._treat = treat
        self._luck = luck
        self._now = now
        self._repaired: set[ReplyClass] = set()
        self._repairing = False
        self._refused_code = ""
        self._refusals = 0
        self._last_silence = Reply(0)
        self._told_of_others = False
        self.credentials_generation = 0
        self.throttled = 0

    async def settle(
        self, claim: Claim, reply: Reply, sent_at: float, credentials_generation: int
    ) -> RunError | None:
        """Do what a reply asks for; return the error that must stop the run, if it is one.

        `sent_at` is the moment of sending on the loop's clock, `credentials_generation` the value of `credentials_generation` at that moment:
        a reply to a call that was signed before a repair says nothing about the repair.
        """
        classification = classify(reply, in_doubt=claim.in_doubt, overrides=self._treat)
        in_doubt = claim.in_doubt or classification.doubt
        if self._log.is_enabled_for(logging.DEBUG):
            self._tell(claim, reply, classification.reply_class, sent_at)
        if reply.readable and reply.status < _SERVER_ERROR:
            self._answered()
        match classification.reply_class:
            case ReplyClass.TRANSIENT:
                self._settle_transient(claim, reply, sent_at, in_doubt=in_doubt)
                return None
            case ReplyClass.THROTTLED:
                self.throttled += 1
                self._gate.throttled(sent_at, self._wish_s(reply))
                self._again(claim, claim.attempts, in_doubt=in_doubt)
                return None
            case ReplyClass.RENEW | ReplyClass.CLOCK | ReplyClass.FATAL:
                self._again(claim, claim.attempts, in_doubt=in_doubt)
                return await self._repair(classification.reply_class, reply, credentials_generation)
        self._repaired.clear()
        self._tell_of_others()
        inferred = classification.reply_class is ReplyClass.ABSENT and in_doubt
        state = State.DELETED if inferred else State(classification.reply_class.value)
        if state is State.ABSENT and self._absences.engaged:
            self._again(claim, claim.attempts, in_doubt=in_doubt)
            return None
        before = self._absences.ended(claim.row, state, inferred=inferred)
        if state is State.ABSENT and self._absences.engaged:
            self._ledger.put(Reopen(before))
            self._again(claim, claim.attempts, in_doubt=in_doubt)
            return _nothing_is_there(len(before) + 1, reply)
        self._final(claim, state, reply, claim.attempts + 1, in_doubt=in_doubt)
        return self._count_refusal(state, reply)

    def outage_error(self, now: float) -> OutageError:
        """Return the error for an outage that has lasted too long; `now` is on the loop's clock."""
        seconds = now - (self._outage.since or now)
        silent = f"{seconds / 60:.0f} minutes" if seconds >= _MINUTES_FROM_S else f"{seconds:.0f} seconds"
        last = self._last_silence
        status = f"HTTP {last.status} " if last.status else ""
        if not self._outage.has_answered:
            return OutageError(
                f"the service has never answered this job, for {silent}; the last try: {status}{printable(last.message)}."
                " No flow is blamed for that. Check the endpoint for a typing error, then the network and the proxy;"
                " the same command goes on"
            )
        return OutageError(
            f"the service has not answered for {silent}; the last try: {status}{printable(last.message)}. "
            "No flow is blamed for that. Check the network, the proxy and the endpoint, then go on",
            Advice.WAIT_LONGER,
        )

    def _settle_transient(self, claim: Claim, reply: Reply, sent_at: float, *, in_doubt: bool) -> None:
        loop_time = asyncio.get_running_loop().time()
        attempts = claim.attempts - self._outage.refund(claim.row)
        silent = not reply.readable or reply.status >= _SERVER_ERROR
        if silent:
            self._last_silence = reply
            was_out = self._outage.since is not None
            left = self._backlog.at_least_left + 1
            began = self._outage.silent(
                claim.row,
                sent_at,
                loop_time,
                reached=reply.reached,
                readable=reply.readable,
                flows_left=left,
            )
            if began:
                self._log.warning("outage.began", http_status=reply.status, message=reply.message)
            if was_out or began:
                # The probes keep the time now; what this flow was charged in the beginning is forgiven.
                attempts -= self._outage.refund(claim.row)
                self._again(claim, max(0, attempts), in_doubt=in_doubt)
                return
        # A call that never left is never the flow's fault.
        attempts += not silent or reply.reached
        if attempts >= self._max_attempts and not self._outage.suspected:
            self._final(claim, State.GAVE_UP, reply, attempts, in_doubt=in_doubt)
        else:
            self._again(claim, attempts, in_doubt=in_doubt, wait_s=backoff_s(max(1, attempts), self._luck()))

    def _wish_s(self, reply: Reply) -> float:
        """Return how long the service wishes to be left alone; a wish of days is a gateway's mistake."""
        wish_s = min(reply.retry_after_ms / 1000, _LONGEST_WISH_S)
        if wish_s >= _WORTH_TELLING_S:
            self._log.warning("pace.waiting", seconds=wish_s, code=reply.code)
        return wish_s

    def _tell_of_others(self) -> None:
        if self.throttled and not self._told_of_others and self._gate.other_clients_rate is not None:
            self._told_of_others = True
            self._log.warning("pace.quota_shared", others_per_s=round(self._gate.other_clients_rate, 1))

    def _answered(self) -> None:
        since = self._outage.answered()
        if since is not None:
            seconds = asyncio.get_running_loop().time() - since
            self._log.info("outage.ended", seconds=round(seconds, 1))

    def _final(self, claim: Claim, state: State, reply: Reply, attempts: int, *, in_doubt: bool) -> None:
        inferred = state is State.DELETED and reply.code != "OK"
        at_ms = int(self._now() * 1000)
        self._ledger.put(Outcome(claim, state, inferred, in_doubt, attempts, reply, at_ms))
        if state in (State.REFUSED, State.GAVE_UP):
            self._log.warning(
                f"flow.{state.value}",
                flow_id=claim.flow.flow_id,
                cust_space_id=claim.flow.cust_space_id,
                code=reply.code,
                message=reply.message,
                request_id=reply.request_id,
            )

    def _again(self, claim: Claim, attempts: int, *, in_doubt: bool, wait_s: float = 0.0) -> None:
        self._ledger.put(Requeue(claim.row, attempts, in_doubt))
        self._backlog.requeue(claim.row, asyncio.get_running_loop().time() + wait_s)

    def _count_refusal(self, state: State, reply: Reply) -> RunError | None:
        if state is not State.REFUSED:
            self._refusals = 0
            return None
        self._refusals = self._refusals + 1 if reply.code == self._refused_code else 1
        self._refused_code = reply.code
        if self._refusals != self._max_refusals:
            return None
        code = printable(reply.code)
        return ConsecutiveRefusalsError(
            f"{self._refusals} flows in a row were refused with the same code, so it may concern every flow: {code}"
            f" (HTTP {reply.status}, request id {printable(reply.request_id)}): {printable(reply.message)}",
            Advice.RETRY_REFUSED,
        )

    async def _repair(
        self, reply_class: ReplyClass, reply: Reply, credentials_generation: int
    ) -> RunError | None:
        """Mend what concerns every flow, once for all calls that met it; else return what stops the run."""
        if reply_class is not ReplyClass.FATAL:
            if self._repairing or credentials_generation < self.credentials_generation:
                return None
            if reply_class not in self._repaired:
                self._repaired.add(reply_class)
                self._repairing = True
                try:
                    if await self._mended(reply_class, reply):
                        return None
                except RunError as error:
                    return error
                finally:
                    self._repairing = False
                    self.credentials_generation += 1
        return FatalReplyError(explain(reply), advice_for(reply))

    async def _mended(self, reply_class: ReplyClass, reply: Reply) -> bool:
        if reply_class is ReplyClass.RENEW:
            self._log.info("credentials.renewing", code=reply.code)
            await self._account.renew_credentials()
            return True
        corrected = self._account.correct_clock(reply.date)
        if corrected:
            self._log.warning("clock.corrected", service_date=reply.date)
        return corrected

    def _tell(self, claim: Claim, reply: Reply, reply_class: ReplyClass, sent_at: float) -> None:
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


def _nothing_is_there(flows: int, reply: Reply) -> ConsecutiveAbsencesError:
    return ConsecutiveAbsencesError(
        f"{flows} flows in a row do not exist, and this job has not deleted a single one yet: the access key may"
        f" belong to another account, or the flows to another space or region. The last answer: {printable(reply.code)}"
        f" (HTTP {reply.status}, request id {printable(reply.request_id)}): {printable(reply.message)}\n"
        "Nothing is lost: the next run calls these flows again. Check the access key, the endpoint and the spaces",
        Advice.ACCEPT_ABSENCES,
    )
