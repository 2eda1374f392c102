"""Where keys come from: the environment, the chain as a fake, and the official chain in a process of its own."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowreaper.client.credentials import (
    REFRESH_S,
    ChainSource,
    StaticSource,
    find_source,
    from_environment,
)
from flowreaper.client.official_chain import HOW_TO, Found
from flowreaper.errors import ConfigurationError, CredentialsError
from flowreaper.model import Credentials

KEY_ID = "LTAI5tSampleAccessKey01"
SECRET = "a-secret-that-nobody-may-see"
TOKEN = "CAISsecurityTOKEN+/=="
ENVIRONMENT = {"ALIBABA_CLOUD_ACCESS_KEY_ID": KEY_ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": SECRET}
OLD, NEW = Credentials("old-key", "old"), Credentials("new-key", "new")


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def always(chain: "Chain") -> Callable[[], "Chain"]:
    return lambda: chain


class Chain:
    """A chain that hands out the given answers one by one, the last of them for ever."""

    asking = "a fake"

    def __init__(self, *answers: Credentials | CredentialsError) -> None:
        self._answers = list(answers)
        self.fetches = 0
        self.thread: int | None = None

    def __call__(self) -> Found:
        self.fetches += 1
        self.thread = threading.get_ident()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, CredentialsError):
            raise answer
        return Found(answer, f"fetch {self.fetches}")


class SlowChain(Chain):
    """A chain that answers when it is let."""

    def __init__(self, *answers: Credentials | CredentialsError) -> None:
        super().__init__(*answers)
        self.let = threading.Event()

    def __call__(self) -> Found:
        assert self.let.wait(30)
        return super().__call__()


# The environment


def test_the_environments_key_is_taken() -> None:
    assert from_environment(ENVIRONMENT) == Credentials(KEY_ID, SECRET)


def test_a_temporary_key_brings_its_token() -> None:
    assert from_environment(ENVIRONMENT | {"ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN}) == Credentials(
        KEY_ID, SECRET, TOKEN
    )


@pytest.mark.parametrize("how", ["empty", "absent"])
@pytest.mark.parametrize("token", [TOKEN, ""])
@pytest.mark.parametrize("missing", ENVIRONMENT)
def test_half_a_key_is_refused_since_another_source_may_be_another_account(
    missing: str, how: str, token: str
) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != missing}
    environment |= {missing: ""} if how == "empty" else {}
    environment |= {"ALIBABA_CLOUD_SECURITY_TOKEN": token}
    (given,) = set(ENVIRONMENT) - {missing}
    for find in (from_environment, lambda of: find_source(None, of)):
        with pytest.raises(ConfigurationError, match=f"{missing} is missing or empty") as caught:
            find(environment)
        assert given in str(caught.value)
        assert not any(text in str(caught.value) for text in (SECRET, KEY_ID, TOKEN))


def test_a_security_token_without_its_key_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_environment({"ALIBABA_CLOUD_SECURITY_TOKEN": TOKEN})
    assert str(caught.value) == (
        "the environment holds a part of an access key: ALIBABA_CLOUD_SECURITY_TOKEN is set,"
        " ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are missing or empty. Set all of it,"
        " or unset ALIBABA_CLOUD_SECURITY_TOKEN to use a profile or another source"
    )


@pytest.mark.parametrize("name", [*ENVIRONMENT, "ALIBABA_CLOUD_SECURITY_TOKEN"])
def test_with_a_profile_half_a_key_of_the_environment_does_not_matter(name: str) -> None:
    assert isinstance(find_source("work", {name: SECRET}), ChainSource)


def test_an_environment_without_any_of_it_has_no_key() -> None:
    assert from_environment({"HOME": "/root", "ALIBABA_CLOUD_ACCESS_KEY_ID": ""}) is None


@pytest.mark.parametrize(
    "odd", [" {}", "{} ", "{}\n", "{}\x00", "{}\x1b[31m", "{}é", "{}\u200b", "a {}", " "]
)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "access key id"),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "access key secret"),
        ("ALIBABA_CLOUD_SECURITY_TOKEN", "security token"),
    ],
)
def test_what_no_key_holds_is_refused_without_showing_it(name: str, what: str, odd: str) -> None:
    environment = ENVIRONMENT | {name: odd.format(SECRET)}
    with pytest.raises(CredentialsError, match=f"the {what} from the environment") as caught:
        from_environment(environment)
    assert SECRET not in str(caught.value)
    assert KEY_ID not in str(caught.value)
    assert str(caught.value).isprintable()


async def test_the_environment_comes_before_the_chain_and_a_profile_before_both() -> None:
    assert await find_source(None, ENVIRONMENT).get() == Credentials(KEY_ID, SECRET)
    assert isinstance(find_source(None, {}), ChainSource)
    assert isinstance(find_source("work", ENVIRONMENT), ChainSource)


async def test_a_source_says_where_its_key_came_from() -> None:
    assert find_source(None, ENVIRONMENT).origin == "the environment"
    assert find_source("work", ENVIRONMENT).origin == "profile 'work' of ~/.aliyun/config.json"
    assert StaticSource(OLD, "the sandbox").origin == "the sandbox"
    chain = ChainSource(always(Chain(OLD, NEW)), Clock())
    assert chain.origin == "the credentials chain"
    await chain.get()
    assert chain.origin == "fetch 1"
    await chain.renew()
    assert chain.origin == "fetch 2"


async def test_what_never_changes_cannot_be_renewed_and_says_whose_key_it_was() -> None:
    source = StaticSource(Credentials(KEY_ID, SECRET))
    with pytest.raises(CredentialsError, match=r"LTAI\*\*\*\*ey01") as caught:
        await source.renew()
    assert SECRET not in str(caught.value)
    assert KEY_ID not in str(caught.value)


# The chain, as a fake


async def test_many_callers_at_once_share_one_fetch_off_the_event_loop() -> None:
    chain = SlowChain(OLD)
    source = ChainSource(lambda: chain, Clock())
    callers = [asyncio.ensure_future(source.get()) for _ in range(50)]
    await asyncio.sleep(0)
    chain.let.set()
    assert await asyncio.gather(*callers) == [OLD] * 50
    assert chain.fetches == 1
    assert chain.thread != threading.get_ident()


async def test_the_chain_is_asked_again_after_a_minute_and_not_before() -> None:
    clock, chain = Clock(), Chain(OLD, NEW)
    source = ChainSource(lambda: chain, clock)
    assert await source.get() == OLD
    clock.now_s = REFRESH_S - 0.1
    assert await source.get() == OLD
    assert chain.fetches == 1
    clock.now_s = REFRESH_S
    assert await source.get() == NEW
    assert chain.fetches == 2


async def test_one_caller_refreshes_while_the_others_go_on_with_what_is_known() -> None:
    clock, chain = Clock(), SlowChain(OLD, NEW)
    chain.let.set()
    source = ChainSource(lambda: chain, clock)
    await source.get()
    chain.let.clear()
    clock.now_s = REFRESH_S
    refresher = asyncio.ensure_future(source.get())
    await asyncio.sleep(0)
    assert await asyncio.gather(*(source.get() for _ in range(10))) == [OLD] * 10
    chain.let.set()
    assert await refresher == NEW
    assert chain.fetches == 2


async def test_a_failing_refresh_keeps_what_is_known_and_waits_another_minute() -> None:
    clock, chain = Clock(), Chain(OLD, CredentialsError("the metadata service is away"), NEW)
    source = ChainSource(lambda: chain, clock)
    await source.get()
    clock.now_s = REFRESH_S
    assert await asyncio.gather(*(source.get() for _ in range(10))) == [OLD] * 10
    assert chain.fetches == 2
    clock.now_s = 2 * REFRESH_S
    assert await source.get() == NEW


async def test_a_chain_that_finds_none_at_first_fails_and_may_be_asked_again() -> None:
    source = ChainSource(always(Chain(CredentialsError("none"), OLD)), Clock())
    with pytest.raises(CredentialsError, match="none"):
        await source.get()
    assert await source.get() == OLD


async def test_renewing_is_shared_by_all_who_ask_while_it_goes_on() -> None:
    chain = SlowChain(OLD, NEW)
    chain.let.set()
    source = ChainSource(lambda: chain, Clock())
    await source.get()
    chain.let.clear()
    renewals = [asyncio.ensure_future(source.renew()) for _ in range(20)]
    await asyncio.sleep(0)
    chain.let.set()
    await asyncio.gather(*renewals)
    assert await source.get() == NEW
    assert chain.fetches == 2


async def test_renewing_fails_when_the_same_come_back() -> None:
    source = ChainSource(always(Chain(OLD)), Clock())
    await source.get()
    with pytest.raises(CredentialsError, match="still returns the same"):
        await source.renew()


async def test_renewing_fails_when_the_chain_fails_and_keeps_what_is_known() -> None:
    source = ChainSource(always(Chain(OLD, CredentialsError("the metadata service is away"))), Clock())
    await source.get()
    with pytest.raises(CredentialsError, match="away"):
        await source.renew()
    assert await source.get() == OLD


async def test_a_chain_that_hangs_is_left_to_itself_and_a_new_one_is_asked() -> None:
    hanging, next_one = SlowChain(OLD), Chain(NEW)
    chains = iter([hanging, next_one])
    source = ChainSource(lambda: next(chains), Clock(), patience_s=0.05)
    with pytest.raises(CredentialsError) as caught:
        await source.get()
    assert str(caught.value) == (f"no credentials found: a fake has not answered within 0.05 s.\n{HOW_TO}")
    assert await source.get() == NEW
    hanging.let.set()  # what comes now comes too late
    assert await source.get() == NEW


@pytest.mark.parametrize(
    ("value", "is_"),
    [
        (12, "a number"),
        (1.5, "a number"),
        (["x"], "a list"),
        ({"x": 1}, "an object"),
        (True, "true or false"),
    ],
)
@pytest.mark.parametrize("field", ["access_key_id", "access_key_secret", "security_token"])
async def test_a_part_of_a_key_that_is_no_text_is_told_by_its_type(field: str, value: Any, is_: str) -> None:
    whole = {"access_key_id": KEY_ID, "access_key_secret": SECRET, "security_token": TOKEN}
    source = ChainSource(always(Chain(Credentials(**whole | {field: value}))), Clock())
    with pytest.raises(CredentialsError) as caught:
        await source.get()
    assert str(caught.value) == (
        f"the {field.replace('_', ' ')} from fetch 1 is {is_}, not text: put it into quotes"
    )


async def test_renewing_before_the_first_use_fetches_them() -> None:
    source = ChainSource(always(Chain(OLD)), Clock())
    await source.renew()
    assert await source.get() == OLD


# The official chain reads the environment at import, so each case has a process of its own.

PROGRAM = """
import asyncio, os, sys
from flowreaper.client.credentials import find_source
from flowreaper.errors import CredentialsError
try:
    found = asyncio.run(find_source(sys.argv[1] or None, os.environ).get())
except CredentialsError as error:
    sys.exit(str(error))
print(found.access_key_id, found.access_key_secret, found.security_token)
"""


def run_python(program: str, home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        env={"HOME": str(home), "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def key_profile(name: str, key_id: str, **more: str) -> dict[str, str]:
    return {"name": name, "mode": "AK", "access_key_id": key_id, "access_key_secret": SECRET, **more}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory where `aliyun configure` was run for two profiles."""
    (tmp_path / ".aliyun").mkdir()
    profiles = [
        key_profile("default", "default-key"),
        key_profile("work", "work-key", mode="StsToken", sts_token=TOKEN),
        key_profile("broken", ""),
    ]
    config = {"current": "default", "profiles": profiles}
    (tmp_path / ".aliyun" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return tmp_path


def test_the_current_profile_of_the_vendors_command_is_found(home: Path) -> None:
    assert run_python(PROGRAM, home, "") == (0, f"default-key {SECRET}", "")


def test_a_named_profile_is_found_with_its_token_whatever_the_environment_says(home: Path) -> None:
    assert run_python(PROGRAM, home, "work", **ENVIRONMENT) == (0, f"work-key {SECRET} {TOKEN}", "")


def test_the_vendors_credentials_file_is_found(tmp_path: Path) -> None:
    (tmp_path / ".alibabacloud").mkdir()
    (tmp_path / ".alibabacloud" / "credentials.ini").write_text(
        f"[default]\nenable = true\ntype = access_key\naccess_key_id = ini-key\naccess_key_secret = {SECRET}\n",
        encoding="utf-8",
    )
    assert run_python(PROGRAM, tmp_path, "") == (0, f"ini-key {SECRET}", "")


def test_where_there_are_none_the_ways_to_provide_them_are_told(tmp_path: Path) -> None:
    found = run_python(PROGRAM, tmp_path, "")
    assert found == (1, "", f"no credentials found: nothing is set up that could have a key.\n{HOW_TO}")


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (
            "nobody",
            "profile 'nobody' of ~/.aliyun/config.json: there is no profile 'nobody' in it; it has default, work, broken",
        ),
        ("broken", "profile 'broken' (AK) of ~/.aliyun/config.json: access_key_id is empty"),
    ],
)
def test_a_profile_that_gives_none_is_named_and_its_secret_is_not(
    home: Path, profile: str, says: str
) -> None:
    status, out, err = run_python(PROGRAM, home, profile, **ENVIRONMENT)
    assert (status, out) == (1, "")
    assert err == f"no credentials found:\n  - {says}\n{HOW_TO}"


def test_a_profile_file_that_is_no_json_is_told_and_not_shown(home: Path) -> None:
    (home / ".aliyun" / "config.json").write_text(f"{{{SECRET}", encoding="utf-8")
    found = run_python(PROGRAM, home, "work")
    says = "profile 'work' of ~/.aliyun/config.json: the file is no JSON"
    assert found == (1, "", f"no credentials found:\n  - {says}\n{HOW_TO}")


def test_what_the_chain_logs_by_itself_reaches_neither_stderr_nor_our_log(home: Path) -> None:
    warn = """
import logging
logging.basicConfig()
logging.getLogger("credentials").warning("Refresh credentials failed")
"""
    assert run_python(PROGRAM + warn, home, "") == (0, f"default-key {SECRET}", "")


def test_nothing_heavy_is_imported_where_the_environment_holds_the_key(tmp_path: Path) -> None:
    program = """
import sys
import flowreaper, flowreaper.cli, flowreaper.cli.commands.delete, flowreaper.job.run, flowreaper.client.credentials
assert flowreaper.client.credentials.from_environment({}) is None
print(*(name for name in sys.modules if name.startswith(("alibabacloud", "Tea", "darabonba", "requests"))))
"""
    assert run_python(program, tmp_path) == (0, "", "")


async def test_a_stale_credential_is_asked_of_a_new_chain_since_the_old_one_answers_from_its_cache() -> None:
    made: list[Chain] = []

    def make_chain() -> Chain:
        made.append(Chain(OLD if not made else NEW))
        return made[-1]

    source = ChainSource(make_chain, Clock())
    assert await source.get() == OLD
    await source.renew()
    assert await source.get() == NEW
    assert len(made) == 2
