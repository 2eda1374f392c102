"""Where the account's access key comes from: the environment, else the official credentials chain."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from flowreaper.client.official_chain import HOW_TO, Found, OfficialChain, profile_in_words
from flowreaper.client.profiles import type_in_words
from flowreaper.errors import Advice, ConfigurationError, CredentialsError
from flowreaper.model import Credentials

REFRESH_S = 60.0
"""The chain is asked again after this many seconds. It answers from its own cache, and renews what it
holds about 15 minutes before that expires."""

_KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 -- the variable's name
_TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105 -- the variable's name

_PATIENCE_S = 90.0
# The chain bounds each wait for bytes, not the whole; a command of the profile's own gets 60 s from it.


class Chain(Protocol):
    """What finds a key, as a function that blocks."""

    @property
    def asking(self) -> str:
        """What is being asked, in words; read from another thread."""
        ...

    def __call__(self) -> Found:
        """Find a key; raises CredentialsError."""
        ...


class StaticSource:
    """Credentials that never change. `origin` says where they came from: "the environment"."""

    def __init__(self, credentials: Credentials, origin: str = "the calling program") -> None:
        self._credentials = credentials
        self.origin = origin

    async def get(self) -> Credentials:
        """Return them."""
        return self._credentials

    async def renew(self) -> None:
        """Fail: there is nowhere to fetch others from.

        Raises:
            CredentialsError: always.
        """
        raise CredentialsError(
            f"the credentials with the access key {self._credentials.masked_id} are no longer valid, and came from"
            f" {self.origin}, so they cannot be renewed: set new ones and run again"
        )


class ChainSource:
    """Credentials of the official chain, fetched by one caller at a time, in a thread.

    The chain blocks: on files, on the network, and on a lock of its own that froze an event loop for 15 s
    when four coroutines asked at once (measured). `make_chain` is called for a new chain when the service
    takes its credentials for stale: the old one would answer from its cache. A chain that takes longer than
    `patience_s` has failed, and is left to itself.
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
        """Where the credentials came from, in words; after the first `get` it names what had them."""
        return self._origin

    async def get(self) -> Credentials:
        """Return the credentials, asking the chain at most once a minute.

        What is known stays in use while the chain fails: whether it is still valid is for the service to
        say.

        Raises:
            CredentialsError: the chain found none, and none are known.
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
        """Ask the chain again; callers that come while it is asked share its answer.

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
                " hands out the same: renew them there and run again"
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
                f"no credentials were found: {chain.asking} has not answered within {self._patience_s:g} s.\n{HOW_TO}",
                Advice.NAME_PROFILE,
            )
        fetched = _checked(found.credentials, found.origin)
        self._origin = found.origin
        if fetched != self._credentials:
            self._credentials = fetched

    def _current(self) -> Credentials:
        if self._credentials is None:
            raise CredentialsError(f"no credentials were found. {HOW_TO}", Advice.NAME_PROFILE)
        return self._credentials


def from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Return the access key of the environment's variables, None if they are not there.

    Raises:
        ConfigurationError: only a part of a key is there; the rest may be another account's elsewhere.
        CredentialsError: they hold what cannot be a key.
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

    Nothing heavy is imported unless the chain is needed.

    Raises:
        ConfigurationError: there is no profile, and the environment holds a part of a key.
    """
    if profile:
        return ChainSource(lambda: OfficialChain(profile), origin=profile_in_words(profile))
    found = from_environment(environment)
    return StaticSource(found, "the environment") if found else ChainSource(lambda: OfficialChain(None))


async def _in_a_thread(chain: Chain, patience_s: float) -> Found | None:
    """Return what a chain finds, None where it takes too long.

    The thread is a daemon, unlike asyncio's: a chain that hangs holds up neither the loop nor the end of the
    process.
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
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=run, name="credentials", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            return await answer
    return None


def _checked(credentials: Credentials, origin: str) -> Credentials:
    """Return credentials that can be signed with and sent; a message about others shows none of them."""
    if fault := _fault(credentials):
        what, why = fault
        raise CredentialsError(f"the {what} from {origin} is {why}")
    return credentials


def _fault(credentials: Credentials) -> tuple[str, str] | None:
    """Return which part cannot be used, and why. A frame of its own: it holds the secret, and nothing raises here."""
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
                "empty, or holds a blank, a line break or another character that no key has: copy it again"
            )
    return None
