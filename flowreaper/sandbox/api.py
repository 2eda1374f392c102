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
from urllib.parse import parse_qsl

from aiohttp import web

from flowreaper import protocol
from flowreaper.model import Flow
from flowreaper.sandbox import delivery
from flowreaper.sandbox.answer import LIMITED, OK, Answer
from flowreaper.sandbox.authentication import Incoming, Verifier
from flowreaper.sandbox.ledger import Call, Ledger
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.quota import Quota
from flowreaper.sandbox.service import Service
from flowreaper.sandbox.trouble import Script, Trouble

LEDGER_PATH = "/ledger"
HANG_LIMIT_S = 600.0
"""How long a hanging call is held where nobody stops the sandbox."""

_PAGE_CALLS = 1000
_BAD_QUERY = Answer(400, "InvalidParameter", "The query is not UTF-8, or names a parameter twice.")
_REPEATED_HEADER = Answer(400, "IncompleteSignature", "A header was sent twice.")
_NO_ACTION = Answer(404, "InvalidAction.NotFound", "Specified api is not found.")
_TROUBLED = {
    Trouble.ERROR_500: Answer(
        500, "InternalError", "The request processing has failed due to some unknown error."
    ),
    Trouble.OK_WITH_ERROR_CODE: Answer(200, "Flow.Locked", "The flow is locked by another operation."),
    Trouble.THROTTLE: LIMITED,
    Trouble.THROTTLE_RETRY_AFTER: LIMITED._replace(retry_after_ms=300),
    Trouble.DENY: Answer(403, "Ram.PermissionDeny", "The user is not authorized to cams:DeleteFlow."),
    Trouble.EXPIRED_TOKEN: Answer(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired."),
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
        """Answer the API's calls, the ledger's readers, and whoever followed a redirect."""
        path = request.raw_path.partition("?")[0]
        if path == protocol.PATH and request.method == protocol.METHOD:
            return await self._call(request)
        if path == LEDGER_PATH:
            return await self._show_ledger(request)
        if path == delivery.REDIRECT_PATH:
            # A success, so that a client which follows redirects believes in a deletion that never was.
            self._ledger.redirects_followed += 1
            return self._whole(request, OK)
        return self._whole(request, _NO_ACTION)

    async def _call(self, request: web.BaseRequest) -> web.StreamResponse:
        at_s = time.time()
        parameters = _parameters(request.raw_path)
        named = dict(parameters or ())
        flow = Flow(named.get("FlowId", ""), named.get("CustSpaceId", ""))
        peer = request.transport.get_extra_info("peername") if request.transport else None
        call = self._ledger.arrive(
            at_s=at_s,
            flow_id=flow.flow_id,
            cust_space_id=flow.cust_space_id,
            peer_port=peer[1] if peer else 0,
        )
        trouble = self._script.decide(call.number)
        refusal = await self._refusal(request, parameters, at_s)
        if refusal is not None:
            return await self._answer(request, call, refusal)
        if trouble is not None and not trouble.acts:
            call.trouble = trouble.value
            return await self._trouble(request, call, trouble, _TROUBLED.get(trouble, OK))
        if self._options.jitter_s:
            await asyncio.sleep(self._jitter.uniform(0, self._options.jitter_s))
        answer = self._service.delete(flow) if self._quota.admits(time.time()) else LIMITED
        call.deleted = answer is OK
        if trouble is not None:
            call.trouble = trouble.value
            return await self._trouble(request, call, trouble, answer)
        return await self._answer(request, call, answer)

    async def _refusal(
        self, request: web.BaseRequest, parameters: list[tuple[str, str]] | None, at_s: float
    ) -> Answer | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if parameters is None:
            return _BAD_QUERY
        if len(headers) != len(request.headers):
            return _REPEATED_HEADER
        body = await request.read() if request.can_read_body else b""
        incoming = Incoming(request.method, protocol.PATH, parameters, headers, body)
        refusal = self._verifier.refusal(incoming, at_s + self._options.clock_offset_s)
        if refusal is not None:
            return refusal
        asked = (headers["x-acs-action"], headers["x-acs-version"])
        return None if asked == (protocol.DELETE_FLOW, protocol.VERSION) else _NO_ACTION

    async def _answer(self, request: web.BaseRequest, call: Call, answer: Answer) -> web.StreamResponse:
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        call.code, call.http_status = answer.code, answer.status
        return self._whole(request, answer)

    async def _trouble(
        self, request: web.BaseRequest, call: Call, trouble: Trouble, answer: Answer
    ) -> web.StreamResponse:
        if trouble in _TROUBLED:
            return await self._answer(request, call, answer)
        if trouble in (Trouble.HANG_BEFORE, Trouble.HANG_AFTER):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), HANG_LIMIT_S)
        elif self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        if trouble in _SILENT:
            return delivery.reset(request)
        date = self._date()
        if (replacement := delivery.replacement(trouble, date)) is not None:
            call.http_status = replacement.status
            return replacement
        call.http_status = answer.status
        body = answer.body(_request_id(), request.host)
        if trouble is Trouble.CUT_BODY:
            return await delivery.cut(request, answer.status, body, date)
        call.code = answer.code
        if trouble is Trouble.DRIP:
            return await delivery.drip(request, answer.status, body, date, self._options.drip_s)
        return await delivery.huge(request, answer.status, body, date)

    def _whole(self, request: web.BaseRequest, answer: Answer) -> web.Response:
        return delivery.whole(answer, answer.body(_request_id(), request.host), self._date())

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


def _parameters(raw_path: str) -> list[tuple[str, str]] | None:
    """Decode the query as it came over the wire; None where it cannot be read in one way only."""
    query = raw_path.partition("?")[2]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except ValueError:
        return None
    return pairs if len(pairs) == len(dict(pairs)) else None


def _request_id() -> str:
    return str(uuid.uuid4()).upper()
