"""Where the account's access key comes from: the environment, else the official credentials chain."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from flowreaper.client.official_chain import HOW_TO, Found, OfficialChain, profile_in_words
from flowreaper.client.profiles import type_in_words
from flowreaper.errors import ConfigurationError, CredentialsError
from flowreaper.model import Credentials

REFRESH_S = 60.0
"""The chain is asked again after this many seconds.

It answers from its own cache, and renews a key about 15 minutes before it expires.
"""

_KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 -- the variable's name
_TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105 -- the variable's name

_PATIENCE_S = 90.0
# The chain limits each wait for bytes, not the whole. It gives a profile's own command 60 s.


class Chain(Protocol):
    """Finds a key; a call blocks."""

    @property
    def asking(self) -> str:
        """The provider that is being asked, in words; read from another thread."""
        ...

    def __call__(self) -> Found:
        """Find a key.

        Raises:
            CredentialsError: no provider has one.
        """
        ...


class StaticSource:
    """Credentials that never change. `origin` says where they came from, such as "the environment"."""

    def __init__(self, credentials: Credentials, origin: str = "the calling program") -> None:
        self._credentials = credentials
        self.origin = origin

    async def get(self) -> Credentials:
        """Return them."""
        return self._credentials

    async def renew(self) -> None:
        """Fail: there are no others.

        Raises:
            CredentialsError: always.
        """
        raise CredentialsError(
            f"the credentials with the access key {self._credentials.masked_id} are no longer valid, and came from"
            f" {self.origin}, so they cannot be renewed: set new ones and run the same command again"
        )


class ChainSource:
    """Credentials of the official chain, fetched in a thread, by one caller at a time.

    - The chain blocks on files, on the network, and on a lock of its own: four coroutines that asked at once froze
      the event loop for 15 s (measured).
    - `make_chain` makes a new chain when the service rejects the credentials as expired: the old one would answer
      from its cache.
    - A chain that takes longer than `patience_s` seconds has failed. Its thread is not waited for.
    """

    def __init__(
        self,
        make_chain: Callable[[], Chain],
        clock: Callable[[], float] = time.monotonic,
        *,
        origin: str = "the credentials chain",
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._make_chain = make_chain
        self._origin = origin
        self._patience_s = patience_s
        self._chain: Chain | None = None
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._fetched_at = 0.0

    @property
    def origin(self) -> str:
        """Where the credentials came from, in words; after the first `get`, the provider that had them."""
        return self._origin

    async def get(self) -> Credentials:
        """Return the credentials; ask the chain at most once a minute.

        While the chain fails, the last credentials stay in use: the service decides whether they are still valid.

        Raises:
            CredentialsError: the chain found none, and there are no earlier ones.
        """
        if self._credentials is None or self._due():
            async with self._fetching:
                if self._credentials is None:
                    await self._fetch()
                elif self._due():
                    with contextlib.suppress(CredentialsError):
                        await self._fetch()
        return self._current()

    async def renew(self) -> None:
        """Ask the chain again. Concurrent callers share one answer.

        Raises:
            CredentialsError: the chain found none, or the same ones again.
        """
        stale = self._credentials
        async with self._fetching:
            if self._credentials is not stale:
                return
            self._chain = None
            await self._fetch()
        if stale and self._current() == stale:
            raise CredentialsError(
                f"the credentials with the access key {stale.masked_id} are no longer valid, and their source still"
                " returns the same: renew them there and run the same command again"
            )

    def _due(self) -> bool:
        return self._clock() - self._fetched_at >= REFRESH_S

    async def _fetch(self) -> None:
        self._fetched_at = self._clock()
        chain = self._chain = self._chain or self._make_chain()
        found = await _in_a_thread(chain, self._patience_s)
        if found is None:
            self._chain = None
            raise CredentialsError(
                f"no credentials found: {chain.asking} has not answered within {self._patience_s:g} s.\n{HOW_TO}"
            )
        fetched = _checked(found.credentials, found.origin)
        self._origin = found.origin
        if fetched != self._credentials:
            self._credentials = fetched

    def _current(self) -> Credentials:
        if self._credentials is None:
            raise CredentialsError(f"no credentials found. {HOW_TO}")
        return self._credentials


def from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Return the access key of the environment's variables, None if none is set.

    Raises:
        ConfigurationError: only a part of a key is set. The rest might come from another account elsewhere.
        CredentialsError: a value cannot be a part of a key.
    """
    key_id, secret, token = (environment.get(name, "") for name in (_KEY_ID, _KEY_SECRET, _TOKEN))
    if key_id and secret:
        return _checked(Credentials(key_id, secret, token), "the environment")
    if not (key_id or secret or token):
        return None
    given = [name for name, value in ((_KEY_ID, key_id), (_KEY_SECRET, secret), (_TOKEN, token)) if value]
    missing = [name for name, value in ((_KEY_ID, key_id), (_KEY_SECRET, secret)) if not value]
    raise ConfigurationError(
        f"the environment holds a part of an access key: {' and '.join(given)} {'is' if len(given) == 1 else 'are'}"
        f" set, {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing or empty. Set all of it,"
        f" or unset {' and '.join(given)} to use a profile or another source"
    )


def find_source(profile: str | None, environment: Mapping[str, str]) -> StaticSource | ChainSource:
    """Return where the credentials come from: a named profile, else the environment, else the chain.

    The vendor's package is imported only if the chain is used.

    Raises:
        ConfigurationError: no profile is named, and the environment has only a part of a key.
    """
    if profile:
        return ChainSource(lambda: OfficialChain(profile), origin=profile_in_words(profile))
    found = from_environment(environment)
    return StaticSource(found, "the environment") if found else ChainSource(lambda: OfficialChain(None))


async def _in_a_thread(chain: Chain, patience_s: float) -> Found | None:
    """Return what a chain finds, None after `patience_s` seconds.

    The thread is a daemon, unlike asyncio's: a chain that hangs delays neither the loop nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()

    def settle(found: Found | None, error: Exception | None) -> None:
        if answer.done():
            return
        if found is not None:
            answer.set_result(found)
        elif error is not None:
            answer.set_exception(error)

    def run() -> None:
        found, failure = None, None
        try:
            found = chain()
        except Exception as error:  # noqa: BLE001 -- it is raised again where the answer is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nothing waits for this any more
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=run, name="credentials", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            return await answer
    return None


def _checked(credentials: Credentials, origin: str) -> Credentials:
    """Return the credentials, if they can be used for signing and sending; the error shows no part of them."""
    if fault := _fault(credentials):
        what, why = fault
        raise CredentialsError(f"the {what} from {origin} is {why}")
    return credentials


def _fault(credentials: Credentials) -> tuple[str, str] | None:
    """Return which part cannot be used, and why.

    This has a frame of its own: the secret is a local variable here, and no exception is raised here.
    """
    for what, text in (
        ("access key id", credentials.access_key_id),
        ("access key secret", credentials.access_key_secret),
        ("security token", credentials.security_token or "-"),
    ):
        value: object = text
        if not isinstance(value, str):  # a file or an answer may hold anything
            return what, f"{type_in_words(value)}, not text: put it into quotes"
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            return what, (
                "empty, or has a blank, a line break or another character that no key has: copy it again"
            )
    return None
