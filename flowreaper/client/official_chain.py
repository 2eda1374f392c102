"""Asks the official credentials chain, one provider after the other.

Its exceptions quote the answers: secrets, tokens, signatures, URLs. So their text is never passed on;
`chain_failures.why` says in our own words what they mean.
"""

import configparser
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flowreaper.client.chain_failures import why
from flowreaper.client.profiles import config_fault, profile_of, section_fault
from flowreaper.errors import CredentialsError
from flowreaper.escaping import printable
from flowreaper.model import Credentials

CONFIG = "~/.aliyun/config.json"
_INI = "~/.alibabacloud/credentials.ini"
_NAME_LIMIT = 60

# The vendor's loggers print to stderr: tracebacks and, with DEBUG=sdk, whole requests.
_CHATTY = ("credentials", "alibabacloud-tea", "apscheduler")
# The host program uses these loggers, too. Only records of the asking thread are dropped: they hold URLs with tokens.
_SHARED = ("urllib3", "urllib3.connectionpool", "urllib3.util.retry", "requests")

HOW_TO = (
    "Provide them in one of these ways:\n"
    "  - set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET (and ALIBABA_CLOUD_SECURITY_TOKEN"
    " with temporary ones)\n"
    "  - write a profile with `aliyun configure` (~/.aliyun/config.json), and name it with --profile if it is"
    " not the current one\n"
    "  - run on an ECS instance with a RAM role, or set ALIBABA_CLOUD_CREDENTIALS_URI"
)


class Found(NamedTuple):
    """A key, not checked yet; `origin` says in words where it came from."""

    credentials: Credentials
    origin: str


class _Provider(NamedTuple):
    """A source of keys. `make` may raise anything; `fault` is what is wrong with it, found without asking it."""

    name: str
    make: Callable[[], Any]
    fault: str | None = None


class OfficialChain:
    """The official chain as a function that blocks. With a profile, it asks only for that of ``~/.aliyun/config.json``.

    `asking` names the provider that is being asked. The environment's key is not one of them: `find_source` looks
    for it first.
    """

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._answering: _Provider | None = None
        self.asking = profile_in_words(profile) if profile else "the credentials chain"

    def __call__(self) -> Found:
        """Ask the provider that had a key before, else all of them in order.

        Raises:
            CredentialsError: none has a key; the message says why in our own words.
        """
        with _quiet():
            failures = []
            for provider in [self._answering] if self._answering else self._providers():
                self.asking = provider.name
                asked = provider.fault or _ask(provider.make)
                if not isinstance(asked, str):
                    # It answers from its own cache while its key is valid.
                    self._answering = provider._replace(make=partial(_same, asked[1]))
                    origin = provider.name if self._profile else f"the credentials chain: {provider.name}"
                    return Found(asked[0], origin)
                failures.append(f"\n  - {provider.name}: {asked}")
        # Raised outside the except clause: the vendor's exception would be the context.
        asked_all = ":" + "".join(failures) if failures else ": nothing is set up that could have a key."
        raise CredentialsError(f"no credentials found{asked_all}\n{HOW_TO}")

    def _providers(self) -> Iterator[_Provider]:
        """Yield the providers that are set up, in the vendor's order."""
        from alibabacloud_credentials import provider as vendor
        from alibabacloud_credentials.utils import auth_constant, auth_util

        home = Path(auth_constant.HOME)
        config = home / ".aliyun" / "config.json"
        if self._profile:
            yield _cli_profile(vendor, config, self._profile)
            return
        if auth_util.enable_oidc_credential:
            yield _Provider("OIDC (ALIBABA_CLOUD_OIDC_TOKEN_FILE)", vendor.OIDCRoleArnCredentialsProvider)
        if config.is_file() and auth_util.environment_cli_profile_disabled.lower() != "true":
            yield _cli_profile(vendor, config, auth_util.environment_profile_name)
        named = auth_util.environment_credentials_file
        ini = Path(named) if named else home / ".alibabacloud" / "credentials.ini"
        if named or ini.is_file():
            where = "the file that ALIBABA_CLOUD_CREDENTIALS_FILE names" if named else _INI
            yield _ini_profile(vendor, ini, where, auth_util.client_type)
        if auth_util.environment_ecs_metadata_disabled.lower() != "true":
            yield _Provider(
                "the metadata service of an ECS instance",
                # Without its scheduler, a thread that would ask, too.
                lambda: vendor.EcsRamRoleCredentialsProvider(async_update_enabled=False),
            )
        if auth_util.environment_credentials_uri:
            yield _Provider("the URI in ALIBABA_CLOUD_CREDENTIALS_URI", vendor.URLCredentialsProvider)


def profile_in_words(name: str, mode: object = None) -> str:
    """Return the name of a profile of config.json, with its mode if that is known."""
    how = f" ({printable(mode, _NAME_LIMIT)})" if isinstance(mode, str) and mode else ""
    return f"profile '{printable(name, _NAME_LIMIT)}'{how} of {CONFIG}"


def _ask(make: Callable[[], Any]) -> tuple[Credentials, Any] | str:
    """Return a provider's key and the provider, or why there is none."""
    try:
        provider = make()
        found = provider.get_credentials()
        credentials = Credentials(
            found.get_access_key_id() or "",
            found.get_access_key_secret() or "",
            found.get_security_token() or "",
        )
    except Exception as error:  # noqa: BLE001 -- providers raise whatever their parts raise
        return why(error)
    return credentials, provider


def _same(provider: Any) -> Any:
    return provider


def _cli_profile(vendor: Any, path: Path, named: str | None) -> _Provider:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _faulty(profile_in_words(named or ""), "the file is not there")
    except OSError:
        return _faulty(CONFIG, "the file cannot be read")
    except (ValueError, RecursionError):
        return _faulty(profile_in_words(named) if named else CONFIG, "the file is no JSON")
    current = config.get("current") if isinstance(config, dict) else None
    name = named or (current if isinstance(current, str) else "")
    if not name:
        return _faulty(CONFIG, "it names no current profile")
    profile = profile_of(config, name) or {}
    return _Provider(
        profile_in_words(name, profile.get("mode")),
        lambda: vendor.CLIProfileCredentialsProvider(profile_name=name),
        config_fault(config, name),
    )


def _ini_profile(vendor: Any, path: Path, where: str, name: str) -> _Provider:
    shown = f"profile '{printable(name, _NAME_LIMIT)}' of {where}"
    ini = configparser.ConfigParser()
    try:
        ini.read_string(path.read_text(encoding="utf-8"))
        section = dict(ini.items(name)) if ini.has_section(name) else None
    except FileNotFoundError:
        return _faulty(where, "the file is not there")
    except OSError:
        return _faulty(where, "the file cannot be read")
    except (configparser.Error, ValueError):
        return _faulty(where, "the file is not in INI form")
    fault = "there is no such profile" if section is None else section_fault(section, "type")
    return _Provider(shown, vendor.ProfileCredentialsProvider, fault)


def _faulty(name: str, fault: str) -> _Provider:
    return _Provider(name, lambda: None, fault)


class _FromOtherThreads(logging.Filter):
    """Drops the records of the thread that made it."""

    def __init__(self) -> None:
        super().__init__()
        self._own = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._own


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the vendor's log records out of stderr and of the host program's logs."""
    # Imported here: the import takes 215 ms (measured), reads the environment and adds log handlers.
    import alibabacloud_credentials.provider  # noqa: F401 -- for its loggers

    for name in _CHATTY:
        log = logging.getLogger(name)
        log.handlers = [logging.NullHandler()]
        log.propagate = False
    others = _FromOtherThreads()
    for name in _SHARED:
        logging.getLogger(name).addFilter(others)
    try:
        yield
    finally:
        for name in _SHARED:
            logging.getLogger(name).removeFilter(others)
