"""A sandbox that stops with the test, and a plain client that sends what it is told and follows nothing."""

import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import aiohttp
import pytest
from yarl import URL

from flowreaper.client import messages, signing
from flowreaper.model import Credentials, Flow
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["Code"])

    @property
    def message(self) -> str:
        return str(json.loads(self.body)["Message"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self._session = session

    def request(
        self,
        flow: Flow,
        *,
        credentials: Credentials = CREDENTIALS,
        ahead_s: float = 0,
        nonce: str = "",
        action: str = "DeleteFlow",
    ) -> messages.Request:
        parameters = {"FlowId": flow.flow_id, "CustSpaceId": flow.cust_space_id}
        return messages.signed_request(
            action,
            {name: value for name, value in parameters.items() if value},
            credentials,
            host=f"127.0.0.1:{self.sandbox.port}",
            now_s=time.time() + ahead_s,
            nonce=nonce or uuid.uuid4().hex,
        )

    def form_request(
        self,
        *,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        method: str = "POST",
        content_type: str = "application/x-www-form-urlencoded",
        action: str = "DeleteFlow",
    ) -> tuple[str, dict[str, str], bytes]:
        """Sign a call whose parameters stand in the query, in a form, or some in each."""
        query_text = signing.canonical_query(query or {})
        body = signing.canonical_query(form or {}).encode()
        headers = {
            "host": f"127.0.0.1:{self.sandbox.port}",
            "x-acs-action": action,
            "x-acs-version": messages.VERSION,
            "x-acs-date": messages.timestamp(time.time()),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        }
        if form is not None:
            headers["content-type"] = content_type
        headers["authorization"] = signing.authorization(
            CREDENTIALS,
            method=method,
            path=messages.PATH,
            query=query_text,
            headers=headers,
            body_sha256=headers["x-acs-content-sha256"],
        )
        return query_text, headers, body

    async def send(
        self,
        query: str,
        headers: dict[str, str],
        *,
        path: str = "/",
        body: bytes = b"",
        method: str = messages.METHOD,
    ) -> Got:
        url = URL(f"{self.sandbox.url}{path}?{query}", encoded=True)
        async with self._session.request(
            method,
            url,
            headers=headers,
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("Content-Type",),
        ) as response:
            return Got(response.status, dict(response.headers), await response.read())

    async def delete(self, flow_id: str, cust_space_id: str = "", **how: Any) -> Got:
        return await self.send(*self.request(Flow(flow_id, cust_space_id), **how))

    async def call(
        self,
        action: str,
        *,
        version: str = messages.VERSION,
        credentials: Credentials = CREDENTIALS,
        **parameters: str,
    ) -> Got:
        """Call any operation; its parameters stand in the query."""
        query = signing.canonical_query(parameters)
        headers = {
            "host": f"127.0.0.1:{self.sandbox.port}",
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": messages.timestamp(time.time()),
            "x-acs-signature-nonce": uuid.uuid4().hex,
            "x-acs-content-sha256": signing.EMPTY_BODY_SHA256,
        }
        headers["authorization"] = signing.authorization(
            credentials, method=messages.METHOD, path=messages.PATH, query=query, headers=headers
        )
        return await self.send(query, headers)

    async def get(self, path: str) -> Got:
        async with self._session.get(self.sandbox.url + path) as response:
            return Got(response.status, dict(response.headers), await response.read())

    async def fetch(self, url: str) -> Got:
        async with self._session.get(url) as response:
            return Got(response.status, dict(response.headers), await response.read())


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Client]]]:
    """A function that starts a sandbox with the given options and returns a client of it."""
    async with AsyncExitStack() as stack:

        async def begin(**options: Any) -> Client:
            chosen = SandboxOptions(**{"window": "none", **options})
            session = await stack.enter_async_context(aiohttp.ClientSession())
            sandbox = await stack.enter_async_context(Sandbox(chosen))
            return Client(sandbox, session)

        yield begin
