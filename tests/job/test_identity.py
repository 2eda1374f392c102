"""Whose the access key is: what STS says, what it does not say, and another account than the expected one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flowreaper.client.actions import CallerIdentity
from flowreaper.client.credentials import StaticSource
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import (
    Advice,
    ConfigurationError,
    FatalReplyError,
    FlowreaperError,
    OutageError,
    RunError,
)
from flowreaper.events import SilentLog
from flowreaper.job import identity
from flowreaper.job.identity import identify, require_account
from flowreaper.job.settings import Settings
from flowreaper.model import Credentials
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

OTHER = Credentials("LTAIofAnotherAccount01", "another-secret")
NOWHERE = parse_endpoint("http://127.0.0.1:9")


async def ask(server: Sandbox, credentials: Credentials = CREDENTIALS, **settings: Any) -> CallerIdentity:
    return await identify(
        Settings(endpoint=parse_endpoint(server.url), **settings), StaticSource(credentials), SilentLog()
    )


@asynccontextmanager
async def sandbox(**options: Any) -> AsyncIterator[Sandbox]:
    async with Sandbox(
        SandboxOptions(window="none", more_keys={OTHER.access_key_id: ("another-secret", "77")}, **options)
    ) as server:
        yield server


async def refused(
    server: Sandbox, credentials: Credentials = CREDENTIALS, **settings: Any
) -> FlowreaperError:
    with pytest.raises(FlowreaperError) as raised:
        await ask(server, credentials, **settings)
    return raised.value


async def test_the_account_and_the_name_of_its_caller_are_asked_without_calling_a_flow() -> None:
    async with sandbox(account_id="4242") as server:
        found = await ask(server)
        assert (found.account, found.arn) == ("4242", "acs:ram::4242:user/flowreaper")
        assert (await ask(server, OTHER)).account == "77"
        assert server.ledger.total == 0


async def test_the_expected_account_is_let_through_and_any_other_refused_with_both_numbers() -> None:
    async with sandbox() as server:
        assert (await ask(server, OTHER, expect_account="77")).account == "77"
        error = await refused(server, expect_account="77")
    assert isinstance(error, ConfigurationError)
    assert "the account 1000000000000001 (acs:ram::1000000000000001:user/flowreaper), not to 77" in str(error)


def test_an_escape_in_the_name_of_a_caller_does_not_reach_the_terminal() -> None:
    with pytest.raises(ConfigurationError) as raised:
        require_account(CallerIdentity("1", "acs:ram::1:user/\x1b[2J", "RAMUser"), "2")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("credentials", "code", "remedy"),
    [
        (
            Credentials(CREDENTIALS.access_key_id, "wrong"),
            "SignatureDoesNotMatch",
            "check the access key secret",
        ),
        (
            Credentials("LTAIunknownUnknown00", "any"),
            "InvalidAccessKeyId.NotFound",
            "check the access key id",
        ),
    ],
)
async def test_a_wrong_key_is_explained_as_for_a_deletion(
    credentials: Credentials, code: str, remedy: str
) -> None:
    async with sandbox() as server:
        error = await refused(server, credentials)
    assert isinstance(error, FatalReplyError)
    assert code in str(error)
    assert remedy in str(error)
    assert error.advice is None


async def test_a_refusal_of_sts_has_code_and_request_id_and_speaks_of_no_permission() -> None:
    async with sandbox(deny=frozenset({"GetCallerIdentity"})) as server:
        error = await refused(server)
    assert isinstance(error, RunError)
    assert error.advice is Advice.WITHOUT_IDENTITY
    assert "STS refuses GetCallerIdentity: Ram.PermissionDeny (HTTP 400, request id " in str(error)
    assert "RAM action" not in str(error)
    assert "cams:" not in str(error)


async def test_where_nothing_answers_the_error_names_the_host_and_what_can_be_done() -> None:
    async with sandbox() as server:
        error = await refused(server, sts_endpoint=NOWHERE, outage_limit_s=0.0)
    assert isinstance(error, OutageError)
    assert str(error).startswith(
        "127.0.0.1:9 does not say whose the access key is: GetCallerIdentity has had no answer"
    )
    assert error.advice is Advice.WITHOUT_IDENTITY


async def test_an_sts_that_puts_off_for_ever_is_asked_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity, "PATIENCE_S", 0.5)
    async with sandbox(trouble="GetCallerIdentity/throttle:1") as server:
        error = await refused(server)
    assert isinstance(error, OutageError)
    assert "had no usable answer" in str(error)
    assert error.advice is Advice.WITHOUT_IDENTITY


async def test_an_answer_that_is_lost_is_asked_for_again() -> None:
    async with sandbox(trouble="GetCallerIdentity/reset-before:#1-2") as server:
        assert (await ask(server)).account == "1000000000000001"


@pytest.mark.parametrize("account", ["", "12a", "-1", "٣"])
async def test_an_answer_without_a_number_is_no_identity(
    monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    monkeypatch.setattr(
        "flowreaper.client.actions.read_identity", lambda _content: CallerIdentity(account, "arn", "RAMUser")
    )
    async with sandbox() as server:
        error = await refused(server)
    assert "its answer has no account number" in str(error)
