"""What an exception of the official credentials chain means, in our own words.

Its text may quote a secret. So this module returns only phrases of its own, statuses, and names of classes.
"""

import configparser
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator

_Kinds = type[BaseException] | tuple[type[BaseException], ...]

_HTTP_STATUS = re.compile(r"(?:http_code|HttpCode|status code)\W{1,2}([1-5]\d\d)\b")
_EXIT_STATUS = re.compile(r"exit status (-?\d{1,3})\b")
_FIRST_WORDS = (
    ("Failed to get RAM session credentials", "its answer lacks the key, the token or the time of expiry"),
    ("error retrieving credentials", "its answer lacks the key, the token or the time of expiry"),
    ("invalid credential response", "its answer lacks the access key id or the access key secret"),
    ("invalid StsToken credential", "its answer lacks the token"),
    ("failed to parse external", "what its command printed is no JSON"),
    ("No cached value was found", "the key that it hands out has expired"),
    ("invalid profile name", "no profile is named, and the file names no current one"),
    ("cli credentials file is disabled", "ALIBABA_CLOUD_CLI_PROFILE_DISABLED switches it off"),
    ("unsupported profile mode", "its mode is none that the official library knows"),
    ("unsupported credential type", "its type is none that the official library knows"),
    ("failed to get credential from credentials file", "the file has no such profile"),
    ("session duration", "the duration of its session is out of range: 900 s or more"),
    ("role_arn or environment", "the role's ARN is empty"),
    ("oidc_provider_arn or environment", "the ARN of its OIDC provider is empty"),
    ("oidc_token_file_path or environment", "the path of its OIDC token is empty"),
    ("CloudSSO access token", "its access token is empty or has expired: sign in with the aliyun command"),
    ("CloudSSO sign in url", "its sign-in URL, account or access configuration is empty"),
    ("process_command is empty", "its process_command is empty"),
    ("IMDS credentials is disabled", "ALIBABA_CLOUD_ECS_METADATA_DISABLED switches it off"),
    ("failed to refresh OAuth token", "its sign-in has expired: sign in with the aliyun command"),
)
_SURE_CAUSES: tuple[tuple[_Kinds, str], ...] = (
    (subprocess.TimeoutExpired, "its command did not end in time"),
    (ssl.SSLError, "its server's certificate or encryption is not in order"),
    (socket.gaierror, "the name of its server is not known"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "it did not answer in time"),
    (FileNotFoundError, "its file or command is not there"),
    (PermissionError, "its file or command may not be used: permission denied"),
    ((json.JSONDecodeError, UnicodeError), "its answer or file is no JSON text"),
)
_OTHER_CAUSES: tuple[tuple[_Kinds, str], ...] = (
    (configparser.Error, "the file is not in INI form"),
    (OSError, "the connection failed"),
    (RecursionError, "it builds on itself"),
    (
        (TypeError, AttributeError, KeyError, LookupError),
        "a value in its answer or settings has another type or is missing",
    ),
    (ValueError, "a value in its answer or settings cannot be used"),
)
_TIMEOUTS = {
    "ConnectTimeout",
    "ReadTimeout",
    "ConnectTimeoutError",
    "ReadTimeoutError",
}  # of requests and urllib3
_DEEPEST = 20


def why(error: BaseException) -> str:
    """Return what an exception means; the text completes "PROVIDER: ..."."""
    text = str(error)
    # The vendor's messages quote other text at their end, so the first match is the vendor's own.
    if found := _HTTP_STATUS.search(text):
        return f"the answer was HTTP {found[1]}"
    if found := _EXIT_STATUS.search(text):
        return f"its command ended with exit status {found[1]}"
    return next(_meanings(text, list(_chain(error))), f"it failed ({type(error).__name__})")


def _meanings(text: str, chain: list[BaseException]) -> Iterator[str]:
    if any(type(one).__name__ in _TIMEOUTS for one in chain):
        yield "it did not answer in time"
    yield from (words for first_words, words in _FIRST_WORDS if text.startswith(first_words))
    yield from (words for kinds, words in _SURE_CAUSES if any(isinstance(one, kinds) for one in chain))
    if text.startswith("failed to execute external command"):
        yield "its command cannot be run"
    yield from (words for kinds, words in _OTHER_CAUSES if any(isinstance(one, kinds) for one in chain))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then its causes and contexts, and those that requests keeps in `args` and `reason`."""
    waiting: list[object] = [error]
    seen: list[BaseException] = []
    while waiting and len(seen) < _DEEPEST:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
