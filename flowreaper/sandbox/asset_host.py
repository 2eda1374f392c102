"""Serves the flows' JSON at addresses of their own: no access key is needed, and none is looked at."""

import asyncio
import time

from aiohttp import web

from flowreaper.model import Flow
from flowreaper.sandbox import delivery
from flowreaper.sandbox.account import Accounts
from flowreaper.sandbox.answer import Answer
from flowreaper.sandbox.assets import AssetUrls
from flowreaper.sandbox.ledger import Ledger
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.responder import Responder
from flowreaper.sandbox.trouble import Script

_DENIED = "<Error><Code>AccessDenied</Code><Message>The signature is wrong or has expired.</Message></Error>"
_NO_KEY = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"


class AssetHost:
    """The storage beside the service."""

    def __init__(
        self,
        options: SandboxOptions,
        *,
        urls: AssetUrls,
        accounts: Accounts,
        script: Script,
        ledger: Ledger,
        responder: Responder,
    ) -> None:
        self.urls = urls
        self._options = options
        self._accounts = accounts
        self._script = script
        self._ledger = ledger
        self._responder = responder

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request for a flow's JSON."""
        now_s = time.time()
        asset = self.urls.read(request.raw_path, now_s + self._options.clock_offset_s)
        flow = asset.flow if asset else Flow("")
        peer = request.transport.get_extra_info("peername") if request.transport else None
        call = self._ledger.arrive(
            at_s=now_s,
            flow_id=flow.flow_id,
            cust_space_id=flow.cust_space_id,
            peer_port=peer[1] if peer else 0,
        )
        call.header_names = tuple(sorted(name.lower() for name in request.headers))
        rule = self._script.decide(call.number)
        if asset is None:
            call.http_status = 403
            return web.Response(status=403, text=_DENIED, content_type="application/xml")
        found = self._accounts[asset.account_id].service.find(flow)
        if isinstance(found, Answer):
            call.http_status = 404
            return web.Response(status=404, text=_NO_KEY, content_type="application/xml")
        reply = self._responder.file(found.json())
        if rule is not None:
            return await self._responder.spoil(request, call, rule, reply)
        if self._options.latency_s:
            await asyncio.sleep(self._options.latency_s)
        call.http_status = reply.status
        return delivery.whole(reply)
