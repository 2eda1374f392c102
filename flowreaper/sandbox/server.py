"""The sandbox's life: build the parts from the options, listen on 127.0.0.1, stop without waiting long."""

import asyncio
import functools
import logging
import secrets
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from flowreaper.errors import ConfigurationError
from flowreaper.model import Credentials
from flowreaper.sandbox.api import BODY_LIMIT, OTHER, Api, Served
from flowreaper.sandbox.asset_host import AssetHost
from flowreaper.sandbox.assets import FLOW_JSON, AssetUrls
from flowreaper.sandbox.authentication import Verifier
from flowreaper.sandbox.ledger import Ledger
from flowreaper.sandbox.ledger_page import LedgerPage
from flowreaper.sandbox.operations import DELETE_FLOW, OPERATIONS
from flowreaper.sandbox.options import SandboxOptions, check
from flowreaper.sandbox.population import accounts_of
from flowreaper.sandbox.responder import Responder
from flowreaper.sandbox.trouble import Script, parse_script

HOST = "127.0.0.1"
_LINGER_S = 5.0  # for the rest of a body that is refused unread: closing at once would lose the answer
_STOP_S = 0.5  # for answers on their way; a latency that is longer is cut off

_LOGGER = logging.getLogger("flowreaper.sandbox")


def _is_about_us(record: logging.LogRecord) -> bool:
    """Return False for what a client sent wrong, which aiohttp logs with a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_LOGGER.addFilter(_is_about_us)


class _Request(web.BaseRequest):
    """A request whose response does not name aiohttp: the service does not either."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)


class Sandbox:
    """A running sandbox: ``async with Sandbox(SandboxOptions(...)) as sandbox: ... sandbox.url ...``.

    `port` 0 takes a free one; with `ssl_context` it speaks https. These can be read at any time: `ledgers` by the name
    of the operation, beside them ``FlowJSON`` and ``other``; `ledger`, which is DeleteFlow's; `accounts` by account id;
    and `service`, the flows of the options' own account. Entering raises ConfigurationError for options that cannot
    be used and for a port that is taken.
    """

    def __init__(
        self, options: SandboxOptions, *, port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.options = options
        names = (*OPERATIONS, FLOW_JSON, OTHER)
        self.ledgers: Mapping[str, Ledger] = {name: Ledger(options.ledger_limit) for name in names}
        self.ledger = self.ledgers[DELETE_FLOW]
        self.accounts = accounts_of(options)
        self.service = self.accounts[options.account_id].service
        self._port = port
        self._ssl_context = ssl_context
        self._stopping = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    @property
    def port(self) -> int:
        """The port, known once the sandbox runs."""
        return self._port

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"{'https' if self._ssl_context else 'http'}://{HOST}:{self._port}"

    async def __aenter__(self) -> Self:
        options = self.options
        check(options)
        api = self._api()
        # The bare server: no router, no middleware, no access log; one call costs little more than its check.
        server = web.Server(
            api.handle,
            request_factory=functools.partial(
                _Request, loop=asyncio.get_running_loop(), client_max_size=BODY_LIMIT
            ),
            access_log=None,
            logger=_LOGGER,
            lingering_time=_LINGER_S,
            auto_decompress=False,  # the signature covers the body as it was sent
        )
        runner = web.ServerRunner(server, shutdown_timeout=_STOP_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self._port, ssl_context=self._ssl_context).start()
        except OSError as error:
            await runner.cleanup()
            reason = error.strerror or error
            raise ConfigurationError(
                f"the sandbox cannot listen on {HOST}:{self._port}: {reason}; give another port, or 0 for a free one"
            ) from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _api(self) -> Api:
        options, ledgers = self.options, self.ledgers
        rules = parse_script(options.trouble)
        scripts = {
            # DeleteFlow's chances are the seed's own, so that another operation's rules leave them alone.
            name: Script(
                [rule for rule in rules if rule.operation == name],
                options.seed if name == DELETE_FLOW else f"{options.seed} {name}",
            )
            for name in ledgers
        }
        responder = Responder(options, self._stopping)
        keys = (Credentials(key, secret) for key, (secret, _) in options.more_keys.items())
        return Api(
            options,
            verifier=Verifier(options.credentials, *keys),
            accounts=self.accounts,
            served={
                name: Served(name, operation, ledgers[name], scripts[name])
                for name, operation in OPERATIONS.items()
            },
            other=Served(OTHER, None, ledgers[OTHER], scripts[OTHER]),
            assets=AssetHost(
                options,
                urls=AssetUrls(secrets.token_bytes(16), options.asset_life_s),
                accounts=self.accounts,
                script=scripts[FLOW_JSON],
                ledger=ledgers[FLOW_JSON],
                responder=responder,
            ),
            ledger_page=LedgerPage(ledgers),
            responder=responder,
        )
