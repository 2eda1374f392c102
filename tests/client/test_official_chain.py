"""The official chain with answers, files and commands that are not in order: no word of theirs gets out."""

import contextlib
import json
import logging
import shlex
import socket
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alibabacloud_credentials.provider import ExternalCredentialsProvider, URLCredentialsProvider
from alibabacloud_credentials.utils import auth_constant, auth_util
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ReadTimeout
from Tea.core import TeaCore
from Tea.exceptions import RetryError

from flowreaper.client.chain_failures import why
from flowreaper.client.credentials import find_source
from flowreaper.client.official_chain import CONFIG, OfficialChain
from flowreaper.client.profiles import config_fault
from flowreaper.errors import CredentialsError
from flowreaper.model import Credentials

# The vendor's code calls it; from Python 3.12 on that warns.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

Reason = Callable[..., Awaitable[str]]

MARK = "SECRETMARK"
URI = "the URI in ALIBABA_CLOUD_CREDENTIALS_URI"
GOOD = {
    "Code": "Success",
    "AccessKeyId": "uri-key",
    "AccessKeySecret": MARK,
    "SecurityToken": f"{MARK}-token",
    "Expiration": "2099-01-01T00:00:00Z",
}
LACKS = "its answer lacks the key, the token or the time of expiry"
ODD = "a value in its answer or settings has another type or is missing"
NO_JSON = "its answer or file is no JSON text"


@pytest.fixture(autouse=True)
def nothing_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key anywhere. The vendor's code reads environment and home once, at import."""
    for name in dir(auth_util):
        if name.startswith("environment_"):
            monkeypatch.setattr(auth_util, name, None)
    for name, value in (
        ("environment_ecs_metadata_disabled", "true"),
        ("environment_imds_v1_disabled", "false"),
        ("environment_cli_profile_disabled", "false"),
        ("environment_enable_vpc", "false"),
        ("enable_oidc_credential", False),
        ("client_type", "default"),
    ):
        monkeypatch.setattr(auth_util, name, value)
    monkeypatch.setattr(auth_constant, "HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def write_config(home: Path, *profiles: object, current: object = "default") -> None:
    (home / ".aliyun").mkdir(exist_ok=True)
    text = json.dumps({"current": current, "profiles": profiles})
    (home / ".aliyun" / "config.json").write_text(text, encoding="utf-8")


def write_ini(home: Path, text: str) -> None:
    (home / ".alibabacloud").mkdir()
    (home / ".alibabacloud" / "credentials.ini").write_text(text, encoding="utf-8")


async def failure(profile: str | None = None) -> CredentialsError:
    with pytest.raises(CredentialsError) as caught:
        await find_source(profile, {}).get()
    return caught.value


async def _reason(
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    provider: str,
    profile: str | None = None,
) -> str:
    """Return why the only provider had no key, after a look for the secret wherever it could stand."""
    caplog.set_level(logging.DEBUG)
    error = await failure(profile)
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    out, err = capfd.readouterr()
    everything = "".join([*shown.format(), repr(error.args), out, err, caplog.text])
    assert MARK not in everything
    assert out == err == ""
    message = str(error)
    assert message.startswith(f"no credentials found:\n  - {provider}: ")
    return message.splitlines()[1].removeprefix(f"  - {provider}: ")


@pytest.fixture
def reason(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Reason:
    return partial(_reason, capfd, caplog)


# A credentials URI


def http(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d %b\r\nContent-Length: %d\r\n\r\n%b" % (status, MARK.encode(), len(body), body)


@contextlib.contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """Give every request the same bytes, or none until the end; yield the port."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer is None:
                ended.wait(30)
            else:
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        ended.set()
        server.shutdown()


def use_uri(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    uri = f"http://127.0.0.1:{port}/{MARK}?token={MARK}"
    monkeypatch.setattr(auth_util, "environment_credentials_uri", uri)


def without(*names: str, **more: object) -> bytes:
    return http(json.dumps({k: v for k, v in GOOD.items() if k not in names} | more).encode())


async def test_a_credentials_uri_in_order_is_used_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(without()) as port:
        use_uri(monkeypatch, port)
        source = find_source(None, {})
        assert await source.get() == Credentials("uri-key", MARK, f"{MARK}-token")
    assert source.origin == f"the credentials chain: {URI}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (without("Expiration"), LACKS),
        (without("SecurityToken"), LACKS),
        (without("Code"), LACKS),
        (without(Code=MARK), LACKS),
        (http(json.dumps({k.lower(): v for k, v in GOOD.items()}).encode()), LACKS),
        (without(Expiration="2001-01-01T00:00:00Z"), "the key that it hands out has expired"),
        (without(Expiration=MARK), "a value in its answer or settings cannot be used"),
        (without(Expiration=12), ODD),
        (http(f"[{MARK!r}]".encode()), NO_JSON),
        (http(f'["{MARK}"]'.encode()), ODD),
        (http(MARK.encode()), NO_JSON),
        (http(MARK.encode() + b"\xff"), NO_JSON),
        (http(b""), NO_JSON),
        (http(json.dumps(GOOD).encode(), 500), "the answer was HTTP 500"),
        (http(MARK.encode(), 403), "the answer was HTTP 403"),
        (http(MARK.encode() + b"\xff", 502), NO_JSON),
        (
            b"HTTP/1.1 302 Found\r\nLocation: /%b\r\nContent-Length: 0\r\n\r\n" % MARK.encode(),
            "the connection failed",
        ),
        (f"{MARK} is no HTTP\r\n\r\n".encode(), "the connection failed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + MARK.encode(), "the connection failed"),
        (b"", "the connection failed"),
    ],
)
async def test_a_credentials_uri_that_is_not_in_order_is_told_in_our_own_words(
    answer: bytes, says: str, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    with answering(answer) as port:
        use_uri(monkeypatch, port)
        assert await reason(URI) == says


async def test_a_credentials_uri_that_hangs_is_told(monkeypatch: pytest.MonkeyPatch, reason: Reason) -> None:
    monkeypatch.setattr(URLCredentialsProvider, "DEFAULT_READ_TIMEOUT", 100)
    with answering(None) as port:
        use_uri(monkeypatch, port)
        assert await reason(URI) == "it did not answer in time"


async def test_a_credentials_uri_where_nobody_listens_is_told(
    monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    use_uri(monkeypatch, port)
    assert await reason(URI) == "the connection was refused"


@pytest.mark.parametrize(
    "uri", [f"://{MARK}", f"http://[{MARK}", f"{MARK}", f"http:///{MARK}", f"gopher://{MARK}/"]
)
async def test_a_credentials_uri_that_is_none_is_told(
    uri: str, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(auth_util, "environment_credentials_uri", uri)
    assert await reason(URI)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            {"AccessKeySecret": 12},
            "the access key secret from the credentials chain: {} is a number, not text",
        ),
        ({"SecurityToken": [MARK]}, "the security token from the credentials chain: {} is a list, not text"),
        ({"AccessKeyId": ""}, "the access key id from the credentials chain: {} is empty, or has a blank"),
        (
            {"AccessKeySecret": f"{MARK}\n"},
            "the access key secret from the credentials chain: {} is empty, or",
        ),
    ],
)
async def test_a_key_of_a_credentials_uri_that_is_none_is_told(
    more: dict[str, object], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(without(**more)) as port:
        use_uri(monkeypatch, port)
        error = await failure()
    assert str(error).startswith(says.format(URI))
    assert MARK not in str(error)


# A command of the profile's own


def external(program: str) -> dict[str, object]:
    command = shlex.join([sys.executable, "-c", program, MARK])
    return {"name": "default", "mode": "External", "process_command": command}


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (f"import sys; sys.exit('{MARK}')", "its command ended with exit status 1"),
        (
            f"import os, sys; print('exit status 55 {MARK}', file=sys.stderr); sys.exit(9)",
            "its command ended with exit status 9",
        ),
        ("import os; os.kill(os.getpid(), 9)", "its command ended with exit status -9"),
        (f"print('{MARK}')", "what its command printed is no JSON"),
        (
            f"import json; print(json.dumps({{'access_key_id': '{MARK}'}}))",
            "its answer lacks the access key id or the access key secret",
        ),
        (f"print('[\"{MARK}\"]')", ODD),
        ("import time; time.sleep(30)", "its command did not end in time"),
    ],
)
async def test_a_command_that_fails_is_told_without_what_it_printed(
    program: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    if "sleep" in program:
        monkeypatch.setattr(ExternalCredentialsProvider, "DEFAULT_TIMEOUT", 0.2)
    write_config(tmp_path, external(program))
    assert await reason(f"profile 'default' (External) of {CONFIG}") == says


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"/no/such/program {MARK}", "its file or command is not there"),
        (f"/ {MARK}", "its file or command may not be used: permission denied"),
        (f"'{MARK}", "its command cannot be run"),
        ("", "its process_command is empty"),
        (" ", "its process_command is empty"),
        (12, "process_command is a number, not text: put it into quotes"),
    ],
)
async def test_a_command_that_cannot_be_run_is_told_without_its_words(
    command: object, says: str, tmp_path: Path, reason: Reason
) -> None:
    write_config(tmp_path, {"name": "default", "mode": "External", "process_command": command})
    assert await reason(f"profile 'default' (External) of {CONFIG}") == says


# Providers that ask a server of the vendor's: what would go out comes back to them

AK = {"access_key_id": "some-key", "access_key_secret": MARK}
ROLE = {"ram_role_arn": f"acs:ram::1:role/{MARK}", "policy": MARK}
FAR = 4_000_000_000
ASKING: dict[str, dict[str, object]] = {
    "RamRoleArn": {**AK, **ROLE},
    "ChainableRamRoleArn": {**ROLE, "source_profile": "base"},
    "OIDC": {**ROLE, "oidc_provider_arn": "acs:oidc", "oidc_token_file": "token"},
    "CloudSSO": {
        "cloud_sso_sign_in_url": f"https://sign-in.test/{MARK}",
        "cloud_sso_account_id": MARK,
        "cloud_sso_access_config": MARK,
        "access_token": MARK,
        "cloud_sso_access_token_expire": FAR,
    },
    "OAuth": {"oauth_access_token": MARK, "oauth_refresh_token": MARK, "oauth_access_token_expire": FAR},
    "OAuth ": {"oauth_access_token": None, "oauth_refresh_token": MARK, "oauth_access_token_expire": 0},
    "EcsRamRole": {"ram_role_name": MARK},
}


def echo(request: Any, status: int) -> SimpleNamespace:
    said = json.dumps([request.query, request.headers, request.pathname, str(request.body), MARK])
    return SimpleNamespace(status_code=status, body=json.dumps({"Message": said}).encode(), headers={})


def break_off(request: Any) -> SimpleNamespace:
    raise RetryError(json.dumps([request.query, request.headers]))


def time_out(request: Any) -> SimpleNamespace:
    try:
        raise ReadTimeout(json.dumps([request.query, request.headers]))
    except OSError as error:
        raise RetryError(str(error)) from error


@pytest.mark.parametrize("mode", ASKING)
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda request: echo(request, 403), ("the answer was HTTP 403",)),
        (
            lambda request: echo(request, 200),
            (LACKS, ODD, "its sign-in has expired: sign in with the aliyun command"),
        ),
        (lambda _: SimpleNamespace(status_code=200, body=MARK.encode(), headers={}), (NO_JSON,)),
        (
            lambda _: SimpleNamespace(status_code=500, body=MARK.encode() + b"\xff", headers={}),
            (NO_JSON, "the answer was HTTP 500"),
        ),
        (break_off, ("it failed (RetryError)",)),
        (time_out, ("it did not answer in time",)),
    ],
)
async def test_a_server_of_the_vendors_that_fails_is_told_without_its_words(
    *,
    mode: str,
    answer: Callable[[Any], SimpleNamespace],
    says: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reason: Reason,
) -> None:
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "false")
    monkeypatch.setattr(TeaCore, "do_action", staticmethod(lambda request, _options: answer(request)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_text(MARK)
    name = mode.strip()
    base = {"name": "base", "mode": "AK", **AK}
    write_config(tmp_path, {"name": "default", "mode": name, **ASKING[mode]}, base)
    said = await reason(f"profile 'default' ({name}) of {CONFIG}", "default")
    assert said in says


async def test_a_metadata_service_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, reason: Reason) -> None:
    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "false")
    monkeypatch.setattr(TeaCore, "do_action", staticmethod(lambda request, _options: echo(request, 404)))
    before = threading.active_count()
    assert await reason("the metadata service of an ECS instance") == "the answer was HTTP 404"
    assert threading.active_count() <= before + 1  # ours may be ending; the vendor's scheduler is not there


async def test_oidc_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    for name, value in (
        ("enable_oidc_credential", True),
        ("environment_oidc_token_file", str(tmp_path / MARK)),
        ("environment_role_arn", MARK),
        ("environment_oidc_provider_arn", MARK),
    ):
        monkeypatch.setattr(auth_util, name, value)
    said = await reason("OIDC (ALIBABA_CLOUD_OIDC_TOKEN_FILE)")
    assert said == "its file or command is not there"


# Profiles


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"mode": "AK", **AK, "access_key_secret": 12}, "access_key_secret is a number, not text: put it into quotes"),
        ({"mode": "StsToken", **AK, "sts_token": [MARK]}, "sts_token is a list, not text: put it into quotes"),
        ({"mode": "StsToken", **AK}, "sts_token is empty"),
        ({"mode": "AK", **AK, "access_key_id": None}, "access_key_id is empty"),
        ({"mode": "RamRoleArn", **AK, "access_key_secret": ""}, "access_key_secret is empty"),
        ({"mode": "RamRoleArn", **AK}, "the role's ARN is empty"),
        ({"mode": "RamRoleArn", **AK, **ROLE, "expired_seconds": 1}, "the duration of its session is out of range: 900 s or more"),
        ({"mode": "RamRoleArn", **AK, **ROLE, "expired_seconds": MARK}, ODD),
        ({"mode": "CloudSSO"}, "its access token is empty or has expired: sign in with the aliyun command"),
        ({"mode": "EcsRamRole"}, "ALIBABA_CLOUD_ECS_METADATA_DISABLED switches it off"),
        ({"mode": "CredentialsURI", "credentials_uri": MARK}, "its mode is none that the official library knows"),
        ({"mode": "ChainableRamRoleArn", **ROLE}, "source_profile is empty"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "default"}, "source_profile leads back to the profile itself"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "half"}, "in the profile 'half', on which it builds, access_key_secret is empty"),
        ({"mode": "ChainableRamRoleArn", "source_profile": "no"}, "there is no profile 'no' in it; it has default, half"),
    ],
)  # fmt: skip
async def test_a_profile_that_is_not_in_order_is_told_in_our_own_words(
    profile: dict[str, object], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    # What the vendor's code would complete an empty key with.
    for name in ("environment_access_key_id", "environment_access_key_secret", "environment_security_token"):
        monkeypatch.setattr(auth_util, name, f"{MARK}-of-another-account")
    half = {"name": "half", "mode": "AK", "access_key_id": "some-key"}
    write_config(tmp_path, {"name": "default", **profile}, half)
    shown = f"profile 'default' ({profile['mode']}) of {CONFIG}"
    assert await reason(shown, "default") == says
    assert await reason(shown) == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{{{MARK}", "the file is no JSON"),
        ("", "the file is no JSON"),
        ("[" * 100_000, "the file is no JSON"),
        (f'["{MARK}"]', "it names no current profile"),
        (f'{{"current": ["{MARK}"]}}', "it names no current profile"),
        ("null", "it names no current profile"),
    ],
)
async def test_a_config_file_that_is_none_is_told(
    text: str, says: str, tmp_path: Path, reason: Reason
) -> None:
    write_config(tmp_path)
    (tmp_path / ".aliyun" / "config.json").write_text(text, encoding="utf-8")
    assert await reason(CONFIG) == says


async def test_a_profile_of_a_file_that_is_not_there_is_told(reason: Reason) -> None:
    assert await reason(f"profile 'work' of {CONFIG}", "work") == "the file is not there"


async def test_profiles_that_are_switched_off_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    write_config(tmp_path, {"name": "default", "mode": "AK", **AK})
    monkeypatch.setattr(auth_util, "environment_cli_profile_disabled", "true")
    said = await reason(f"profile 'default' (AK) of {CONFIG}", "default")
    assert said == "ALIBABA_CLOUD_CLI_PROFILE_DISABLED switches it off"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"access_key_secret = {MARK}\n", "the file is not in INI form"),
        (f"[default]\n{MARK}\n", "the file is not in INI form"),
        (f"[default]\naccess_key_secret = %{MARK}\n", "the file is not in INI form"),
        (f"[default]\na = 1\na = {MARK}\n", "the file is not in INI form"),
    ],
)
async def test_an_ini_file_that_is_none_is_told(text: str, says: str, tmp_path: Path, reason: Reason) -> None:
    write_ini(tmp_path, text)
    assert await reason("~/.alibabacloud/credentials.ini") == says


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"[{MARK}]\n", "there is no such profile"),
        ("[default]\n", "its type is none that the official library knows"),
        (f"[default]\ntype = {MARK}\n", "its type is none that the official library knows"),
        (f"[default]\ntype = access_key\naccess_key_secret = {MARK}\n", "access_key_id is empty"),
        (f"[default]\ntype = ram_role_arn\naccess_key_id = {MARK}\n", "access_key_secret is empty"),
        (f"[default]\ntype = rsa_key_pair\npublic_key_id = {MARK}\nprivate_key_file = /no/{MARK}\n", "its file or command is not there"),
    ],
)  # fmt: skip
async def test_an_ini_profile_that_is_not_in_order_is_told(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: Reason
) -> None:
    monkeypatch.setattr(auth_util, "environment_access_key_id", f"{MARK}-of-another-account")
    monkeypatch.setattr(auth_util, "environment_access_key_secret", f"{MARK}-of-another-account")
    write_ini(tmp_path, text)
    shown = "profile 'default' of ~/.alibabacloud/credentials.ini"
    assert await reason(shown) == says


async def test_every_provider_that_failed_is_told_in_the_vendors_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(tmp_path, {"name": "default", "mode": "AK"})
    write_ini(tmp_path, "")
    with answering(http(b"", 500)) as port:
        use_uri(monkeypatch, port)
        error = await failure()
    assert str(error).splitlines()[:4] == [
        "no credentials found:",
        f"  - profile 'default' (AK) of {CONFIG}: access_key_id is empty",
        "  - profile 'default' of ~/.alibabacloud/credentials.ini: there is no such profile",
        f"  - {URI}: the answer was HTTP 500",
    ]


def test_the_provider_that_answered_is_asked_again_and_no_other(tmp_path: Path) -> None:
    write_config(tmp_path, {"name": "default", "mode": "AK", **AK})
    chain = OfficialChain(None)
    first = chain()
    write_config(
        tmp_path, {"name": "default", "mode": "AK", "access_key_id": "other", "access_key_secret": "x"}
    )
    assert chain() == first
    assert first.origin == f"the credentials chain: profile 'default' (AK) of {CONFIG}"


# What holds for anything

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
profiles = st.dictionaries(
    st.sampled_from(["name", "mode", "source_profile", "access_key_id", "access_key_secret", "sts_token"]),
    st.sampled_from(["a", "b", "AK", "StsToken", "ChainableRamRoleArn"]) | json_values,
)


@given(
    config=st.fixed_dictionaries({"profiles": st.lists(profiles | json_values, max_size=4) | json_values})
    | json_values
)
def test_any_config_has_a_fault_or_none_and_never_shows_a_value_that_may_be_secret(config: object) -> None:
    for name in ("a", "b"):
        fault = config_fault(config, name)
        assert fault is None or fault


@given(
    text=st.text(st.characters(exclude_characters="0123456789")),
    kind=st.sampled_from([ValueError, KeyError, OSError, Exception]),
)
def test_no_text_of_an_exception_gets_out(text: str, kind: type[Exception]) -> None:
    assert why(kind(text)) == why(kind(""))
