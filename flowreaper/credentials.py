"""Where the account's access key comes from: the environment, else the official credentials chain."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from flowreaper.errors import CredentialsError
from flowreaper.escaping import printable
from flowreaper.model import Credentials

REFRESH_S = 60.0
"""The chain is asked again after this many seconds. It answers from its own cache, and renews what it
holds about 15 minutes before that expires."""

_KEY_ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
_KEY_SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 -- the variable's name
_TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"  # noqa: S105 -- the variable's name

HOW_TO = (
    "Provide them in one of these ways:\n"
    f"  - set {_KEY_ID} and {_KEY_SECRET} (and {_TOKEN} with temporary ones)\n"
    "  - write a profile with `aliyun configure` (~/.aliyun/config.json), and name it with --profile if it is"
    " not the current one\n"
    "  - run on an ECS instance with a RAM role, or set ALIBABA_CLOUD_CREDENTIALS_URI"
)

Chain = Callable[[], Credentials]


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
            " the environment, so they cannot be renewed: set new ones and run the same command again"
        )


class ChainSource:
    """Credentials of the official chain, fetched by one caller at a time, in a thread.

    The chain blocks: on files, on the network, and on a lock of its own that froze an event loop for 15 s
    when four coroutines asked at once (measured). `make_chain` is called for a new chain when the service
    takes its credentials for stale: the old one would answer from its cache.
    """

    def __init__(self, make_chain: Callable[[], Chain], clock: Callable[[], float] = time.monotonic) -> None:
        self._make_chain = make_chain
        self._chain: Chain | None = None
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._credentials: Credentials | None = None
        self._fetched_at = 0.0

    @property
    def origin(self) -> str:
        """Where the credentials came from, in words; after the first `get` it names what had them."""
        return "the credentials chain"

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
                " hands out the same: renew them there and run the same command again"
            )

    def _due(self) -> bool:
        return self._clock() - self._fetched_at >= REFRESH_S

    async def _fetch(self) -> None:
        self._fetched_at = self._clock()
        self._chain = self._chain or self._make_chain()
        fetched = await asyncio.to_thread(self._chain)
        if fetched != self._credentials:
            self._credentials = fetched

    def _current(self) -> Credentials:
        if self._credentials is None:
            raise CredentialsError(f"no credentials were found. {HOW_TO}")
        return self._credentials


def from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Return the access key of the environment's variables, None if they are not there.

    Raises:
        CredentialsError: they hold what cannot be a key.
    """
    key_id, secret = environment.get(_KEY_ID, ""), environment.get(_KEY_SECRET, "")
    if not key_id or not secret:
        return None
    return _checked(Credentials(key_id, secret, environment.get(_TOKEN, "")), "the environment")


def find_source(profile: str | None, environment: Mapping[str, str]) -> StaticSource | ChainSource:
    """Return where the credentials come from: a named profile, else the environment, else the chain.

    Nothing heavy is imported unless the chain is needed.
    """
    found = None if profile else from_environment(environment)
    return StaticSource(found, "the environment") if found else ChainSource(lambda: official_chain(profile))


def official_chain(profile: str | None) -> Chain:
    """Return the official chain as a function that blocks; raises CredentialsError when it finds none.

    With a profile, only ``~/.aliyun/config.json`` is looked at.
    """
    client: Any = None

    def fetch() -> Credentials:
        nonlocal client
        try:
            if client is None:
                client = _make_client(profile)
            found = client.get_credential()
        except Exception as error:  # noqa: BLE001 -- the chain raises whatever its parts raise
            where = f"the profile {printable(profile)} gave none" if profile else "none were found"
            raise CredentialsError(
                f"no credentials: {where}. {HOW_TO}\nIn detail: {printable(str(error), 600)}"
            ) from None
        return _checked(
            Credentials(found.access_key_id or "", found.access_key_secret or "", found.security_token or ""),
            "the credentials chain",
        )

    return fetch


def _checked(credentials: Credentials, origin: str) -> Credentials:
    """Return credentials that can be signed with and sent; a message about others shows none of them."""
    for what, text in (
        ("access key id", credentials.access_key_id),
        ("access key secret", credentials.access_key_secret),
        ("security token", credentials.security_token or "-"),
    ):
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise CredentialsError(
                f"the {what} from {origin} is empty, or holds a blank, a line break or another character that"
                " no key has: copy it again"
            )
    return credentials


def _make_client(profile: str | None) -> Any:
    # Imported here: it takes 215 ms (measured) and reads the environment once, at import.
    from alibabacloud_credentials.client import Client
    from alibabacloud_credentials.provider import CLIProfileCredentialsProvider

    # It prints warnings, with tracebacks, to stderr by itself; what matters comes as an exception.
    log = logging.getLogger("credentials")
    log.handlers = [logging.NullHandler()]
    log.propagate = False
    return Client(provider=CLIProfileCredentialsProvider(profile_name=profile)) if profile else Client()
