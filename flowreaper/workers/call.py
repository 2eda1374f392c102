"""One call: sends a claimed flow with its permit, and hands the reply over."""

import asyncio

from flowreaper.errors import RunError
from flowreaper.model import HELD_BACK, Claim, Requeue
from flowreaper.workers.backlog import Backlog
from flowreaper.workers.ports import OutcomeSink, Permit, Transport
from flowreaper.workers.reply_handler import ReplyHandler


class Caller:
    """Makes the calls of one worker pool."""

    def __init__(
        self, backlog: Backlog, sink: OutcomeSink, transport: Transport, replies: ReplyHandler
    ) -> None:
        self._backlog = backlog
        self._sink = sink
        self._transport = transport
        self._replies = replies
        self.calls = 0
        """How many calls were made, those in progress included."""

    async def call(self, claim: Claim, permit: Permit, timeout_s: float | None) -> RunError | None:
        """Send a flow and handle the reply; return the error that must stop the run, if there is one.

        `timeout_s` shortens the usual time limit; None leaves it. If this is cancelled, a flow that was sent stays
        claimed.
        """
        self.calls += 1
        credentials_generation = self._replies.credentials_generation
        try:
            reply = await self._transport.send(claim.flow, timeout_s, permit.sent, permit.is_fresh)
        except RunError as error:
            # Nothing was sent.
            self.requeue(claim)
            return error
        except asyncio.CancelledError:
            if not permit.was_sent:
                self.requeue(claim)
            raise
        finally:
            permit.sent()
        if reply is HELD_BACK:
            # No call was made, so no attempt is used up. The flow needs another permit, before all others.
            self.calls -= 1
            self._backlog.ready.appendleft(claim)
            return None
        return await self._replies.handle(claim, reply, permit.granted_at, credentials_generation)

    def requeue(self, claim: Claim) -> None:
        """Return a flow that was not sent: it uses up no attempt, and is no more in doubt than before."""
        self._sink.put(Requeue(claim.row, claim.attempts, claim.in_doubt))
