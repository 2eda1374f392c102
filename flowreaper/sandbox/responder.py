"""Answers calls, whole or with trouble, and enters in the ledger what was answered."""

import asyncio
import contextlib
import time
import uuid
from email.utils import formatdate
from functools import lru_cache

from aiohttp import web

from flowreaper.sandbox import delivery
from flowreaper.sandbox.answer import LIMITED, NO_PERMISSION, Answer
from flowreaper.sandbox.ledger import Call
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.trouble import Rule, Trouble
from flowreaper.sandbox.undocumented import BAD_TOKEN, INTERNAL_ERROR, LOCKED, answer_with

HANG_LIMIT_S = 600.0
"""How long a hanging call is held where nobody stops the sandbox."""

_INSTEAD = {
    Trouble.ERROR_500: INTERNAL_ERROR,
    Trouble.OK_WITH_ERROR_CODE: LOCKED,
    Trouble.THROTTLE: LIMITED,
    Trouble.THROTTLE_RETRY_AFTER: LIMITED._replace(retry_after_ms=300),
    Trouble.DENY: NO_PERMISSION,
    Trouble.EXPIRED_TOKEN: BAD_TOKEN,
}
_SILENT = (Trouble.RESET_BEFORE, Trouble.RESET_AFTER, Trouble.HANG_BEFORE, Trouble.HANG_AFTER)


class Responder:
    """`stopping` ends what hangs."""

    def __init__(self, options: SandboxOptions, stopping: asyncio.Event) -> None:
        self._options = options
        self._stopping = stopping

    async def answer(self, request: web.BaseRequest, call: Call, answer: Answer) -> web.StreamResponse:
        """Return the answer, after the time that one takes."""
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        call.code, call.http_status = answer.code or None, answer.status
        return self.whole(request, answer)

    async def spoil(
        self, request: web.BaseRequest, call: Call, rule: Rule, reply: delivery.Reply, code: str = ""
    ) -> web.StreamResponse:
        """Make the trouble of `rule`; where that only spoils the delivery, what is delivered is `reply` with `code`."""
        trouble = rule.trouble
        call.trouble = rule.name
        instead = answer_with(rule.code) if trouble is Trouble.ANSWER else _INSTEAD.get(trouble)
        if instead is not None:
            return await self.answer(request, call, instead)
        if trouble in (Trouble.HANG_BEFORE, Trouble.HANG_AFTER):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), HANG_LIMIT_S)
        elif self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        if trouble in _SILENT:
            return delivery.reset(request)
        if (replacement := delivery.replacement(trouble, self._date())) is not None:
            call.http_status = replacement.status
            return replacement
        call.http_status = reply.status
        call.code = None if trouble is Trouble.CUT_BODY else code or None
        if trouble is Trouble.DRIP:
            return await delivery.drip(request, reply, self._options.drip_s)
        return await (delivery.cut if trouble is Trouble.CUT_BODY else delivery.huge)(request, reply)

    def whole(self, request: web.BaseRequest, answer: Answer) -> web.Response:
        """Return the answer at once; no ledger hears of it."""
        return delivery.whole(self.reply(request, answer), answer.retry_after_ms)

    def reply(self, request: web.BaseRequest, answer: Answer) -> delivery.Reply:
        """Return an answer as it goes on the wire."""
        request_id = str(uuid.uuid4()).upper()
        return delivery.Reply(answer.status, answer.body(request_id, request.host), request_id, self._date())

    def file(self, body: bytes) -> delivery.Reply:
        """Return a file as it goes on the wire."""
        return delivery.Reply(200, body, str(uuid.uuid4()).upper(), self._date())

    def _date(self) -> str:
        return _http_date(int(time.time() + self._options.clock_offset_s))


@lru_cache(maxsize=1)  # many answers leave in one second
def _http_date(at_s: int) -> str:
    return formatdate(at_s, usegmt=True)
