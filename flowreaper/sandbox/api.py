"""One request's way through the sandbox: read, authenticate, trouble, quota, operation, answer.

Order of judgement, so that scripts and ledgers can be read:

1. Who calls? A request that is not properly signed, or whose caller has no right to the operation, gets that answer
   and no trouble.
2. Trouble that comes before the work: nothing is done, the quota is not touched.
3. The quota, then the operation; only here is a flow deleted.
4. Trouble that comes after the work spoils the delivery of whatever step 3 answered.
"""

import asyncio
import random
import time
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from flowreaper.client import messages
from flowreaper.model import Flow
from flowreaper.sandbox import delivery
from flowreaper.sandbox.account import Account, Accounts
from flowreaper.sandbox.answer import LIMITED, NO_API, NO_PERMISSION, OK, Answer
from flowreaper.sandbox.asset_host import AssetHost
from flowreaper.sandbox.assets import ASSET_PATH, Asset
from flowreaper.sandbox.authentication import Incoming, Verifier
from flowreaper.sandbox.ledger import Call, Ledger
from flowreaper.sandbox.ledger_page import LEDGER_PATH, LedgerPage
from flowreaper.sandbox.operations import DELETE_FLOW, OPERATIONS, STS_VERSION, Asked, Operation
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.paging import PageRules
from flowreaper.sandbox.parameters import Parameters, read_parameters
from flowreaper.sandbox.responder import Responder
from flowreaper.sandbox.trouble import Script
from flowreaper.sandbox.undocumented import bad_request, incomplete_signature

BODY_LIMIT = 64 * 1024
"""Bytes of a request's body that are read. DeleteFlow's form holds some 50."""

BODY_TIMEOUT_S = 10.0
"""How long a body may take. Without a limit, aiohttp waits for ever where a chunk cannot be read."""

OTHER = "other"
"""What the calls of operations that are not served are called, beside those that are."""

_METHODS = (messages.METHOD, "GET")
_BAD_PARAMETERS = bad_request(
    "The parameters are not UTF-8, or one was sent twice; query and form count together."
)
_BAD_BODY = bad_request("The body did not arrive whole.")
_LONG_BODY = bad_request(f"The body is longer than {BODY_LIMIT:,} bytes.", status=413)
_REPEATED_HEADER = incomplete_signature("A header was sent twice.")
_OF_THE_PRODUCT = ", ".join(name for name, served in OPERATIONS.items() if served.version == messages.VERSION)
_NOT_SERVED = NO_API._replace(
    message=f"{NO_API.message} (The sandbox serves only {_OF_THE_PRODUCT}, version {messages.VERSION}, and"
    f" GetCallerIdentity, version {STS_VERSION}, on {messages.PATH}; the service serves more.)"
)


class Served(NamedTuple):
    """An operation with what is its own: its calls and their trouble. No `operation`: one that is not served."""

    name: str
    operation: Operation | None
    ledger: Ledger
    script: Script


class Api:
    """The HTTP handler: `handle` answers one request. `other` is for calls of operations that `served` lacks."""

    def __init__(
        self,
        options: SandboxOptions,
        *,
        verifier: Verifier,
        accounts: Accounts,
        served: Mapping[str, Served],
        other: Served,
        assets: AssetHost,
        ledger_page: LedgerPage,
        responder: Responder,
    ) -> None:
        self._options = options
        self._verifier = verifier
        self._accounts = accounts
        self._served = served
        self._other = other
        self._assets = assets
        self._ledger_page = ledger_page
        self._responder = responder
        self._page_rules = PageRules(options.page_cap, options.last_page_repeats)
        self._jitter = random.Random(options.seed)  # noqa: S311 -- to be repeated, not to be secret

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer the API's calls, the ledger's readers, who fetches a flow's JSON, and who followed a redirect."""
        path = request.raw_path.partition("?")[0]
        if path == messages.PATH and request.method in _METHODS:
            return await self._call(request)
        if path == LEDGER_PATH:
            return await self._ledger_page.show(request)
        if path.startswith(ASSET_PATH) and request.method == "GET":
            return await self._assets.serve(request)
        if path == delivery.REDIRECT_PATH:
            # A success, so that a client which follows redirects believes in a deletion that never was.
            self._served[DELETE_FLOW].ledger.redirects_followed += 1
            return self._responder.whole(request, OK)
        return self._responder.whole(request, _NOT_SERVED)

    async def _call(self, request: web.BaseRequest) -> web.StreamResponse:
        body, unreadable = await _body(request)
        parameters = read_parameters(
            request.raw_path.partition("?")[2], request.headers.get("Content-Type", ""), body
        )
        # A call that names no operation is one of the older signature, or no call at all.
        served = self._served.get(request.headers.get("x-acs-action", DELETE_FLOW), self._other)
        call = _entered(request, served, parameters)
        rule = served.script.decide(call.number)
        refusal = unreadable or self._refusal(request, served, parameters, body, call.at_s)
        operation = served.operation
        if refusal is not None or parameters is None or operation is None:
            response = await self._responder.answer(request, call, refusal or _NOT_SERVED)
            if unreadable:
                response.force_close()  # where the next request begins is unknown
            return response
        responder = self._responder
        if rule is not None and not rule.trouble.acts:
            return await responder.spoil(request, call, rule, responder.reply(request, OK), OK.code)
        if self._options.jitter_s:
            await asyncio.sleep(self._jitter.uniform(0, self._options.jitter_s))
        answer = self._work(request, served.name, operation, parameters, call)
        if rule is not None:
            return await responder.spoil(request, call, rule, responder.reply(request, answer), answer.code)
        return await responder.answer(request, call, answer)

    def _refusal(
        self,
        request: web.BaseRequest,
        served: Served,
        parameters: Parameters | None,
        body: bytes,
        at_s: float,
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
        if served.operation is None or served.operation.version != headers["x-acs-version"]:
            return _NOT_SERVED
        return NO_PERMISSION if served.name in self._options.deny else None

    def _work(
        self,
        request: web.BaseRequest,
        name: str,
        operation: Operation,
        parameters: Parameters,
        call: Call,
    ) -> Answer:
        account = self._accounts.of(request.headers["authorization"])
        now_s = time.time()
        if not account.admits(name, now_s):
            return LIMITED
        if operation.run is not None:
            return operation.run(self._asked(request, account, parameters, now_s))
        answer = account.service.delete(Flow(call.flow_id, call.cust_space_id), now_s)
        call.deleted = answer is OK
        return answer

    def _asked(
        self, request: web.BaseRequest, account: Account, parameters: Parameters, at_s: float
    ) -> Asked:
        def asset_url(flow: Flow) -> str:
            origin = f"{request.scheme}://{request.host}"
            asset = Asset(account.account_id, flow)
            return self._assets.urls.make(origin, asset, at_s + self._options.clock_offset_s)

        return Asked(account, parameters, at_s, self._page_rules, asset_url)


def _entered(request: web.BaseRequest, served: Served, parameters: Parameters | None) -> Call:
    peer = request.transport.get_extra_info("peername") if request.transport else None
    call = served.ledger.arrive(
        at_s=time.time(),
        flow_id=parameters.get("FlowId") if parameters else "",
        cust_space_id=parameters.get("CustSpaceId") if parameters else "",
        peer_port=peer[1] if peer else 0,
    )
    if served.name != DELETE_FLOW:
        call.parameters = dict([*parameters.query, *parameters.form]) if parameters else {}
    return call


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
