"""Fetches a flow's file from where the service says that it is: another host, which is not trusted with anything."""

import asyncio
import json
import ssl
from collections.abc import Callable
from socket import AddressFamily
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from flowreaper.client.asset_url import is_public, read_url
from flowreaper.client.endpoint import Endpoint, is_loopback
from flowreaper.client.proxy import proxy_for
from flowreaper.errors import UntrustedServerError
from flowreaper.escaping import printable

LIMIT = 10 * 1024 * 1024
"""Bytes of a file at most; Meta allows 10 MB."""

TOTAL_S = 60.0
CONNECT_S = 10.0

_KEEP_ALIVE_S = 5.0
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_SUCCESS = 200
_REDIRECTS = range(300, 400)
_LARGE = 256 * 1024  # parsed in a thread: the loop has calls to send


class Asset(NamedTuple):
    """A file as it came: JSON, in UTF-8."""

    content: bytes


class NotFetched(NamedTuple):
    """No file came, and why: a clause that names neither path nor query of the URL, which are a secret.

    `permanent`: another try would end the same way. `reached` is False where the host gave no answer of its own: there
    was no connection, or it is failing (HTTP 5xx, 429). That is trouble with every file.
    """

    reason: str
    permanent: bool = False
    reached: bool = True


class _RefusedAddressError(OSError):
    """A name leads to an address that must not be asked."""


class PublicResolver(AbstractResolver):
    """Looks names up, and returns only addresses that `is_allowed`; aiohttp connects to these and no others.

    The name that an address was checked for is not looked up a second time, so DNS cannot change its mind.
    """

    def __init__(self, names: AbstractResolver, is_allowed: Callable[[str], bool]) -> None:
        self._names = names
        self._is_allowed = is_allowed

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of a name; raises OSError where there is none."""
        is_fine = is_loopback if is_loopback(host) else self._is_allowed
        found = await self._names.resolve(host, port, family)
        fine = [each for each in found if is_fine(each["host"])]
        if found and not fine:
            raise _RefusedAddressError
        return fine

    async def close(self) -> None:
        """Release the resolver beneath."""
        await self._names.close()


class AssetFetcher:
    """Fetches files, from `__aenter__` to `__aexit__`.

    - Only https, with verified certificates, and only from public addresses; where the service is a sandbox on this
      machine, also plain http from this machine. Through a proxy, which looks the name up, the name is all that is
      checked.
    - The request bears no credentials, no cookie, no more than "flowreaper" as its user agent. Redirects are not
      followed.
    - `total_s` bounds a whole fetch, `limit` its bytes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        total_s: float = TOTAL_S,
        limit: int = LIMIT,
        is_allowed: Callable[[str], bool] = is_public,
        names: Callable[[], AbstractResolver] = aiohttp.ThreadedResolver,
    ) -> None:
        self._plain_here = endpoint.scheme == "http"
        self._total_s = total_s
        self._limit = limit
        self._is_allowed = is_allowed
        self._names = names
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._judging = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def fetch(self, text: str) -> Asset | NotFetched:
        """Return the file behind a URL, or why there is none.

        Raises:
            UntrustedServerError: the certificate did not verify; nothing was sent.
            ConfigurationError: the environment's proxy cannot be used.
        """
        url = read_url(text, plain_here=self._plain_here)
        if isinstance(url, str):
            return _hopeless(url)
        try:
            async with asyncio.timeout(self._total_s):
                return await self._get(url)
        except aiohttp.ClientConnectorCertificateError as error:
            untrusted = printable(str(error.certificate_error))
        except (aiohttp.ClientError, OSError) as error:
            return self._described(error, url.raw_host or "the host")
        # Raised outside the except clause: that exception may hold the proxy's URL, and would be the context.
        raise UntrustedServerError(
            f"the certificate of {url.raw_host}, where the files of flows are, cannot be trusted: {untrusted}."
            " Nothing was sent to it. Check the proxy; put the certificate of a private authority into the file that"
            " SSL_CERT_FILE names"
        )

    def _described(self, error: Exception, host: str) -> NotFetched:
        """Return what went wrong, in our own words: aiohttp's messages quote URLs and the server's bytes."""
        match error:
            case aiohttp.ClientHttpProxyError():
                return _unreached(f"the proxy answered HTTP {error.status}")
            case aiohttp.ClientConnectorError(os_error=_RefusedAddressError()):
                return _hopeless(f"{host} leads to an address that is not public")
            case aiohttp.ClientConnectorError():
                why = error.os_error.strerror or type(error.os_error).__name__
                return _unreached(f"no connection to {host}: {printable(why)}")
            case aiohttp.ConnectionTimeoutError():
                return _unreached(f"no connection to {host} within {CONNECT_S:g} s")
            case TimeoutError():
                return _spoilt(f"{host} did not send it within {self._total_s:g} s")
            case _:
                return _spoilt(f"{host} broke off ({type(error).__name__})")

    async def _get(self, url: URL) -> Asset | NotFetched:
        proxy = proxy_for(Endpoint(url.scheme, url.raw_host or "", url.port or 0))
        session = self._session(proxied=proxy is not None)
        async with session.get(url, allow_redirects=False, proxy=proxy) as answer:
            if answer.status != _SUCCESS:
                failing = answer.status >= _SERVER_ERROR or answer.status == _TOO_MANY_REQUESTS
                redirected = answer.status in _REDIRECTS
                said = f"{url.raw_host} answered HTTP {answer.status}"
                return NotFetched(said, permanent=redirected, reached=not failing)
            if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                return _hopeless(f"{url.raw_host} sent it compressed")
            content = bytearray()
            while chunk := await answer.content.readany():
                content += chunk
                if len(content) > self._limit:
                    answer.close()
                    return _hopeless(f"it is longer than {self._limit:,} bytes")
        whole = bytes(content)
        if not await self._is_flow_json(whole):
            return _spoilt(f"what {url.raw_host} sent is no JSON object")
        return Asset(whole)

    async def _is_flow_json(self, content: bytes) -> bool:
        if len(content) <= _LARGE:
            return _is_object(content)
        # One after the other: the objects of a hostile file of 10 MB take 300 MB (measured).
        async with self._judging:
            return await asyncio.to_thread(_is_object, content)

    def _session(self, *, proxied: bool) -> aiohttp.ClientSession:
        """Return the session for files from a proxy, which may be at any address, or for others."""
        if proxied not in self._sessions:
            names = self._names()
            self._sessions[proxied] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=names if proxied else PublicResolver(names, self._is_allowed),
                    use_dns_cache=False,
                    limit=0,  # who waits for a free connection would count as somebody who got none
                    keepalive_timeout=_KEEP_ALIVE_S,
                    ssl=ssl.create_default_context(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_S),
                headers={
                    "User-Agent": "flowreaper",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",
                },
                auto_decompress=False,
                trust_env=False,
            )
        return self._sessions[proxied]


def _hopeless(reason: str) -> NotFetched:
    return NotFetched(reason, permanent=True, reached=True)


def _spoilt(reason: str) -> NotFetched:
    return NotFetched(reason, permanent=False, reached=True)


def _unreached(reason: str) -> NotFetched:
    return NotFetched(reason, permanent=False, reached=False)


def _is_object(content: bytes) -> bool:
    """Return whether it is a JSON object, as every flow's JSON is."""
    try:
        return isinstance(json.loads(content.decode("utf-8-sig")), dict)
    except (ValueError, RecursionError):  # ValueError covers bad UTF-8, and numbers too long
        return False
