"""One request's way through the sandbox: read, authenticate, trouble, quota, service, answer.

Order of judgement, so that scripts and ledgers can be read:

1. Who calls? A request that is not properly signed gets that answer and no trouble.
2. Trouble that comes before the work: nothing is deleted, the quota is not touched.
3. The quota, then the service; only here is a flow deleted.
4. Trouble that comes after the work spoils the delivery of whatever step 3 answered.
"""

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections.abc import Iterator
from email.utils import formatdate

from aiohttp import web

from flowreaper.client import messages
from flowreaper.model import Flow
from flowreaper.sandbox import delivery
from flowreaper.sandbox.answer import (
    BAD_TOKEN,
    INTERNAL_ERROR,
    LIMITED,
    LOCKED,
    NO_API,
    NO_PERMISSION,
    OK,
    Answer,
    answer_with,
    bad_request,
    incomplete_signature,
)
from flowreaper.sandbox.authentication import Incoming, Verifier
from flowreaper.sandbox.ledger import Call, Ledger
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.parameters import Parameters, read_parameters
from flowreaper.sandbox.quota import Quota
from flowreaper.sandbox.service import Service
from flowreaper.sandbox.trouble import Rule, Script, Trouble

LEDGER_PATH = "/ledger"
HANG_LIMIT_S = 600.0
"""How long a hanging call is held where nobody stops the sandbox."""

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body that are read. DeleteFlow's form holds some 50."""

BODY_TIMEOUT_S = 10.0
"""How long a body may take. Without a limit, aiohttp waits for ever where a chunk cannot be read."""

_PAGE_CALLS = 1000
_DELETE_FLOW = "DeleteFlow"
_METHODS = (messages.METHOD, "GET")
_BAD_PARAMETERS = bad_request(
    "The parameters are not UTF-8, or one was sent twice; query and form count together."
)
_BAD_BODY = bad_request("The body did not arrive whole.")
_LONG_BODY = bad_request(f"The body is longer than {BODY_LIMIT:,} bytes.", status=413)
_REPEATED_HEADER = incomplete_signature("A header was sent twice.")
_NOT_SERVED = NO_API._replace(
    message=f"{NO_API.message} (The sandbox serves only {_DELETE_FLOW}, version {messages.VERSION},"
    f" on {messages.PATH}; the service serves more.)"
)
_TROUBLED = {
    Trouble.ERROR_500: INTERNAL_ERROR,
    Trouble.OK_WITH_ERROR_CODE: LOCKED,
    Trouble.THROTTLE: LIMITED,
    Trouble.THROTTLE_RETRY_AFTER: LIMITED._replace(retry_after_ms=300),
    Trouble.DENY: NO_PERMISSION,
    Trouble.EXPIRED_TOKEN: BAD_TOKEN,
}
_SILENT = (Trouble.RESET_BEFORE, Trouble.RESET_AFTER, Trouble.HANG_BEFORE, Trouble.HANG_AFTER)


class Api:
    """The HTTP handler: `handle` answers one request. `stopping` ends what hangs."""

    def __init__(
        self,
        options: SandboxOptions,
        *,
        verifier: Verifier,
        quota: Quota,
        script: Script,
        service: Service,
        ledger: Ledger,
        stopping: asyncio.Event,
    ) -> None:
        self._options = options
        self._verifier = verifier
        self._quota = quota
        self._script = script
        self._service = service
        self._ledger = ledger
        self._stopping = stopping
        self._jitter = random.Random(options.seed)  # noqa: S311 -- to be repeated, not to be secret

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the API's calls, the ledger's readers, and those who followed a redirect."""
        path = request.raw_path.partition("?")[0]
        if path == messages.PATH and request.method in _METHODS:
            return await self._call(request)
        if path == LEDGER_PATH:
            return await self._show_ledger(request)
        if path == delivery.REDIRECT_PATH:
            # A success, so that a client which follows redirects believes in a deletion that never was.
            self._ledger.redirects_followed += 1
            return self._whole(request, OK)
        return self._whole(request, _NOT_SERVED)

    async def _call(self, request: web.BaseRequest) -> web.StreamResponse:
        body, unreadable = await _body(request)
        parameters = read_parameters(
            request.raw_path.partition("?")[2], request.headers.get("Content-Type", ""), body
        )
        flow = Flow(parameters.get("FlowId"), parameters.get("CustSpaceId")) if parameters else Flow("")
        peer = request.transport.get_extra_info("peername") if request.transport else None
        call = self._ledger.arrive(
            at_s=time.time(),
            flow_id=flow.flow_id,
            cust_space_id=flow.cust_space_id,
            peer_port=peer[1] if peer else 0,
        )
        rule = self._script.decide(call.number)
        refusal = unreadable or self._refusal(request, parameters, body, call.at_s)
        if refusal is not None:
            response = await self._answer(request, call, refusal)
            if unreadable:
                response.force_close()  # where the next request begins is unknown
            return response
        if rule is not None and not rule.trouble.acts:
            return await self._trouble(request, call, rule, OK)
        if self._options.jitter_s:
            await asyncio.sleep(self._jitter.uniform(0, self._options.jitter_s))
        answer = self._service.delete(flow) if self._quota.admits(time.time()) else LIMITED
        call.deleted = answer is OK
        if rule is not None:
            return await self._trouble(request, call, rule, answer)
        return await self._answer(request, call, answer)

    def _refusal(
        self, request: web.BaseRequest, parameters: Parameters | None, body: bytes, at_s: float
    ) -> Answer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if parameters is None:
            return _BAD_PARAMETERS
        if len(headers) != len(request.headers):
            return _REPEATED_HEADER
        incoming = Incoming(request.method, messages.PATH, parameters.query, headers, body)
        refusal = self._verifier.refusal(incoming, at_s + self._options.clock_offset_s)
        if refusal is not None:
            return refusal
        asked = (headers["x-acs-action"], headers["x-acs-version"])
        return None if asked == (_DELETE_FLOW, messages.VERSION) else _NOT_SERVED

    async def _answer(self, request: web.BaseRequest, call: Call, answer: Answer) -> web.StreamResponse:
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        call.code, call.http_status = answer.code, answer.status
        return self._whole(request, answer)

    async def _trouble(
        self, request: web.BaseRequest, call: Call, rule: Rule, answer: Answer
    ) -> web.StreamResponse:
        trouble = rule.trouble
        call.trouble = rule.name
        instead = answer_with(rule.code) if trouble is Trouble.ANSWER else _TROUBLED.get(trouble)
        if instead is not None:
            return await self._answer(request, call, instead)
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
        call.http_status = answer.status
        call.code = None if trouble is Trouble.CUT_BODY else answer.code
        reply = self._reply(request, answer)
        if trouble is Trouble.DRIP:
            return await delivery.drip(request, reply, self._options.drip_s)
        return await (delivery.cut if trouble is Trouble.CUT_BODY else delivery.huge)(request, reply)

    def _whole(self, request: web.BaseRequest, answer: Answer) -> web.Response:
        return delivery.whole(self._reply(request, answer), answer.retry_after_ms)

    def _reply(self, request: web.BaseRequest, answer: Answer) -> delivery.Reply:
        request_id = str(uuid.uuid4()).upper()
        return delivery.Reply(answer.status, answer.body(request_id, request.host), request_id, self._date())

    def _date(self) -> str:
        return formatdate(time.time() + self._options.clock_offset_s, usegmt=True)

    async def _show_ledger(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer ``?since=N`` with the calls after number N (0: all), page by page so that calls get through."""
        since = request.query.get("since", "0")
        if not (since.isascii() and since.isdigit() and len(since) < 16):  # noqa: PLR2004 -- no such ledger
            return web.Response(status=400, text="since must be a call's number\n")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for piece in self._ledger_json(int(since)):
                await response.write(piece.encode())
                await asyncio.sleep(0)
        return response

    def _ledger_json(self, since: int) -> Iterator[str]:
        # What arrives while it is written belongs to the next reader.
        total = self._ledger.total
        heading = {"total": total, "redirects_followed": self._ledger.redirects_followed}
        yield f'{json.dumps(heading)[:-1]}, "calls": ['
        comma = ""
        while since < total:
            calls = self._ledger.page(since, min(_PAGE_CALLS, total - since))
            if not calls:
                break
            yield comma + ",\n".join(json.dumps(call.as_dict()) for call in calls)
            since, comma = calls[-1].number, ",\n"
        yield "]}\n"


async def _body(request: web.BaseRequest) -> tuple[bytes, Answer | None]:
    """Read the body; where that fails, return none of it and the refusal."""
    if not request.can_read_body:
        return b"", None
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read(), None
    except web.HTTPRequestEntityTooLarge:
        return b"", _LONG_BODY
    except (ConnectionError, TimeoutError, web.RequestPayloadError):
        return b"", _BAD_BODY
