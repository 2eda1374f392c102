"""One account's calls over HTTP: the aiohttp session, its connections, and what its errors mean."""

import itertools
import os
import ssl
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Protocol, Self

import aiohttp
from yarl import URL

from flowreaper.client import actions, messages
from flowreaper.client.deadline import Deadline
from flowreaper.client.endpoint import Endpoint
from flowreaper.client.proxy import proxy_for
from flowreaper.client.redaction import concealed
from flowreaper.client.sent_hook import (
    HeldBackError,
    HookedConnector,
    HookedRequest,
    Sending,
    SurplusBytesError,
    check_aiohttp,
    sending,
    unsupported,
)
from flowreaper.errors import UntrustedServerError
from flowreaper.escaping import printable
from flowreaper.model import HELD_BACK, Credentials, Flow, Reply

KEEP_ALIVE_S = 5.0
"""Idle connections are closed after this time; the service closes them after about 10 s."""

CONNECT_S = 10.0
"""The longest wait for a connection. A call without one was never sent, so it deleted nothing."""

_LATEST_S = 32_503_680_000.0
# The year 3000. A server may send any date, and one past the year 9999 could not be written into a request.

_SKIPPED_HEADERS = ("Content-Type", "Accept-Encoding")
_USER_AGENT = "flowreaper"


class CredentialSource(Protocol):
    """Where the credentials of the account come from."""

    @property
    def origin(self) -> str:
        """Where they came from, in plain words; some sources know it only after the first `get`."""
        ...

    async def get(self) -> Credentials:
        """Return credentials that are valid now.

        Raises:
            CredentialsError: there are none.
        """
        ...

    async def renew(self) -> None:
        """Fetch them again: the service rejected them as expired.

        Raises:
            CredentialsError: that failed.
        """
        ...


class Client:
    """Sends one account's calls to one endpoint through one session, from `__aenter__` to `__aexit__`.

    - `timeout_s` bounds a whole call; `connections` bounds the open connections.
    - Each call is sent once. Whatever goes wrong becomes a Reply that says how far the call came.
    - Certificates are always verified, with SSL_CERT_FILE and SSL_CERT_DIR; redirects are never followed.
    - The proxy comes from the usual environment variables (`proxy_for`).
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: CredentialSource,
        *,
        timeout_s: float,
        connections: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._host = endpoint.host_header
        self._url = f"{endpoint.url}{messages.PATH}"
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._connections = connections
        self._clock = clock
        self._clock_offset_s = 0.0
        # A random prefix and a counter: as unique as a random nonce for each call, for a tenth of the time.
        self._nonce_prefix = os.urandom(16).hex()
        self._nonces = itertools.count()
        self._proxy = proxy_for(endpoint)
        self._session: aiohttp.ClientSession | None = None
        self._hook_missed = False

    async def __aenter__(self) -> Self:
        check_aiohttp()
        self._session = aiohttp.ClientSession(
            connector=HookedConnector(
                limit=self._connections,
                keepalive_timeout=KEEP_ALIVE_S,
                ssl=ssl.create_default_context() if self._endpoint.scheme == "https" else False,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # Deadline bounds each call
            skip_auto_headers=_SKIPPED_HEADERS,
            headers={"User-Agent": _USER_AGENT},
            auto_decompress=False,
            request_class=HookedRequest,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def send(
        self,
        flow: Flow,
        timeout_s: float | None = None,
        sent: Callable[[], None] = lambda: None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Delete a flow: as `call`, with the reply alone."""
        return (await self.call(actions.delete_flow(flow), timeout_s, sent, may_send)).reply

    async def call(
        self,
        action: actions.Action,
        timeout_s: float | None = None,
        sent: Callable[[], None] = lambda: None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> messages.Answer:
        """Sign a call now, send it, and return the answer.

        - `timeout_s` shortens the client's own timeout for this call.
        - `may_send` is asked right before the call is sent. If it returns False, nothing is sent and the reply
          is HELD_BACK.
        - `sent` is called once the system has the call's bytes; never for a call of which no byte was sent.

        Raises:
            CredentialsError: there are no credentials to sign with.
            UntrustedServerError: the server's certificate did not verify; nothing was sent.
            UnsupportedAiohttpError: an earlier call showed that aiohttp does not run the hook; nothing was sent.
        """
        if self._hook_missed:
            raise unsupported()
        credentials = await self._credentials.get()
        # The clock is read after this: fetching credentials can take seconds.
        request = action.signed(
            credentials,
            host=self._host,
            now_s=self._clock() + self._clock_offset_s,
            nonce=f"{self._nonce_prefix}{next(self._nonces):x}",
        )
        call = Sending(sent, may_send)
        sending.set(call)
        within_s = self._timeout_s if timeout_s is None else min(timeout_s, self._timeout_s)
        try:
            reply, content = await self._attempt(action, request, call, within_s)
            return messages.Answer(concealed(reply, request.secrets, credentials), content)
        except HeldBackError:
            return messages.Answer(HELD_BACK, {})
        finally:
            if call.connected and not call.begun:
                # It may have been sent, so it counts as sent.
                self._hook_missed = True
                sent()

    async def _attempt(
        self, action: actions.Action, request: messages.Request, call: Sending, within_s: float
    ) -> messages.Answer:
        """Send a signed request once, and return what came back or what went wrong."""
        # DNS, TCP and TLS get less time than the whole call: a failed connection then shows as one, "never sent".
        connect_s = min(CONNECT_S, 0.8 * within_s)
        try:
            with Deadline(call, connect_s=connect_s, total_s=within_s):
                answer = await self._exchange(action, request)
        except aiohttp.ClientConnectorCertificateError as error:
            untrusted = printable(str(error))
        except aiohttp.ClientHttpProxyError as error:
            # Its message may echo the request, with the proxy's password.
            return _no_connection(f"the proxy answered HTTP {error.status}")
        except TimeoutError:
            if call.never_sent:
                return _no_connection(f"none within {connect_s:g} s")
            return _lost(f"no answer within {within_s:g} s")
        except (aiohttp.ClientError, OSError) as error:
            if call.never_sent:
                # A proxy's failures before the tunnel stands end here, too.
                return _no_connection(_describe(error))
            return _lost(f"the answer was lost: {_describe(error)}")
        else:
            # This reply says what became of the flow, so it counts; no other call is made.
            self._hook_missed |= not call.begun
            return answer
        # Raised outside the except clause: that exception may hold the proxy's URL, and would be the context.
        raise UntrustedServerError(
            f"the certificate of {self._host} cannot be trusted: {untrusted}. "
            "Nothing was sent. Check the endpoint and the proxy; put the certificate of a private authority "
            "into the file that SSL_CERT_FILE names"
        )

    async def renew_credentials(self) -> None:
        """Fetch the credentials again.

        Raises:
            CredentialsError: it failed.
        """
        await self._credentials.renew()

    def correct_clock(self, date: str) -> bool:
        """Follow the service's clock. `date` is its Date header; return whether the offset moved by over 1 s."""
        try:
            named = parsedate_to_datetime(date)
            # HTTP dates are in GMT (RFC 9110, 5.6.7), even without a zone.
            theirs = (named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError):  # TypeError: before Python 3.12, where it is no date
            return False
        if not 0 <= theirs <= _LATEST_S:
            return False
        offset_s = theirs - self._clock()
        changed = abs(offset_s - self._clock_offset_s) > 1
        self._clock_offset_s = offset_s
        return changed

    @property
    def clock_offset_s(self) -> float:
        """Seconds that the service's clock is ahead of this machine's; 0 until `correct_clock` is called."""
        return self._clock_offset_s

    async def _exchange(self, action: actions.Action, request: messages.Request) -> messages.Answer:
        if self._session is None:
            raise RuntimeError("the client is used outside its `async with` block")
        # encoded=True: the query is sent byte for byte as it was signed.
        url = URL(f"{self._url}?{request.query}", encoded=True)
        async with self._session.post(
            url, headers=request.headers, allow_redirects=False, proxy=self._proxy
        ) as answer:
            try:
                body, complete = await _read_bounded(answer, action.answer_limit)
            except aiohttp.ClientPayloadError:
                body, complete = b"", False
            return messages.read_answer(
                answer.status, answer.headers, body, complete=complete, coded=action.coded
            )


async def _read_bounded(answer: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    body = bytearray()
    while chunk := await answer.content.readany():
        body += chunk
        if len(body) > limit:
            answer.close()
            return bytes(body[:limit]), False
    return bytes(body), True


def _no_connection(why: str) -> messages.Answer:
    return messages.Answer(Reply(0, message=f"no connection: {why}", readable=False, reached=False), {})


def _lost(why: str) -> messages.Answer:
    return messages.Answer(Reply(0, message=why, readable=False), {})


def _describe(error: Exception) -> str:
    """Return what went wrong, in our own words: aiohttp's messages quote the server's bytes."""
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not valid HTTP"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was closed"
    if isinstance(error, OSError | SurplusBytesError):
        return printable(str(error) or type(error).__name__)
    return type(error).__name__
