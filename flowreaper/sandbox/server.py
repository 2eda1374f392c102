"""The sandbox's life: build the parts from the options, listen on 127.0.0.1, stop without waiting long."""

import asyncio
import functools
import logging
import ssl
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from flowreaper.errors import ConfigurationError
from flowreaper.sandbox.api import BODY_LIMIT, Api
from flowreaper.sandbox.authentication import Verifier
from flowreaper.sandbox.ledger import Ledger
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.quota import make_quota
from flowreaper.sandbox.service import Service
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

    `port` 0 takes a free one; with `ssl_context` it speaks https. `ledger` and `service` can be read at any
    time. Entering raises ConfigurationError for options that cannot be used and for a port that is taken.
    """

    def __init__(
        self, options: SandboxOptions, *, port: int = 0, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.options = options
        self.ledger = Ledger(options.ledger_limit)
        self.service = Service(known=options.known, published=options.published, foreign=options.foreign)
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
        _check(options)
        api = Api(
            options,
            verifier=Verifier(options.credentials),
            quota=make_quota(options.window, options.rate),
            script=Script(parse_script(options.trouble), options.seed),
            service=self.service,
            ledger=self.ledger,
            stopping=self._stopping,
        )
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


def _check(options: SandboxOptions) -> None:
    for name, value in (
        ("latency", options.latency_s),
        ("jitter", options.jitter_s),
        ("drip", options.drip_s),
    ):
        if not 0 <= value < float("inf"):
            raise ConfigurationError(f"the sandbox's {name} is {value}: give 0 seconds or more")
