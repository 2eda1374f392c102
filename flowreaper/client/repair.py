"""Repairs what concerns every call, once: renews the credentials, or follows the service's clock."""

from typing import Protocol

from flowreaper.client.codes import advice_for, explain
from flowreaper.errors import FatalReplyError, RunError
from flowreaper.events import Log
from flowreaper.model import Reply, ReplyClass


class Signer(Protocol):
    """What one account's calls are signed with: the credentials, and the time."""

    async def renew_credentials(self) -> None:
        """Fetch the credentials again.

        Raises:
            RunError: there are none.
        """
        ...

    def correct_clock(self, date: str, /) -> bool:
        """Sign with the time of the service's Date header; return whether that changes anything."""
        ...


class Repair:
    """Repairs one account's calls through their `signer`.

    All calls in progress meet the same trouble, but it is repaired only once. If it comes back before any call
    succeeds, the repair did not help, and the run must stop.
    """

    def __init__(self, signer: Signer, log: Log) -> None:
        self._signer = signer
        self._log = log
        self._tried: set[ReplyClass] = set()
        self._under_way = False
        self.credentials_generation = 0
        """Increases with each repair. A call signed under an earlier one says nothing about the repair."""

    def record_success(self) -> None:
        """Record that a call was signed well: from now on, the same trouble may be repaired again."""
        self._tried.clear()

    async def attempt(
        self, reply_class: ReplyClass, reply: Reply, credentials_generation: int
    ) -> RunError | None:
        """Repair what a RENEW or CLOCK reply complains of; return the error that must stop the run, if it cannot be.

        `credentials_generation` is the generation when the call was made. Nothing is done, and no error returned, if
        it is not the current one, or if a repair is in progress.
        """
        if self._under_way or credentials_generation < self.credentials_generation:
            return None
        if reply_class in self._tried:
            return FatalReplyError(explain(reply), advice_for(reply))
        self._tried.add(reply_class)
        self._under_way = True
        try:
            repaired = await self._repair(reply_class, reply)
        except RunError as error:
            return error
        finally:
            self._under_way = False
            self.credentials_generation += 1
        return None if repaired else FatalReplyError(explain(reply), advice_for(reply))

    async def _repair(self, reply_class: ReplyClass, reply: Reply) -> bool:
        if reply_class is ReplyClass.RENEW:
            self._log.info("credentials.renewing", code=reply.code)
            await self._signer.renew_credentials()
            return True
        corrected = self._signer.correct_clock(reply.date)
        if corrected:
            self._log.warning("clock.corrected", service_date=reply.date)
        return corrected
