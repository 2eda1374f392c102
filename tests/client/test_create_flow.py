"""CreateFlow makes another flow each time, so it is called again only where it certainly made none."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest

from flowreaper.client.actions import Action, create_flow
from flowreaper.client.messages import Answer
from flowreaper.client.operations import Operations, Refusal
from flowreaper.client.repair import Repair
from flowreaper.events import SilentLog
from flowreaper.model import Credentials, Reply
from tests.virtual import run_virtual

MADE = Answer(Reply(200, "OK"), {"Data": {"FlowId": "71"}})
LOST = Reply(0, message="no answer", readable=False)
NEVER_SENT = Reply(0, message="no connection", readable=False, reached=False)


class Permit:
    granted_at = 0.0

    def is_fresh(self) -> bool:
        return True

    def sent(self) -> None:
        pass


class Limiter:
    async def acquire(self) -> Permit:
        return Permit()

    def throttled(self, _sent_at: float, _retry_after_s: float) -> None:
        pass


class Sender:
    """Answers with these replies, then makes the flow."""

    clock_offset_s = 0.0

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.calls = 0

    async def call(
        self,
        action: Action,
        _timeout_s: float | None,
        _sent: Callable[[], None],
        _may_send: Callable[[], bool],
    ) -> Answer:
        assert action.name == "CreateFlow"
        self.calls += 1
        return Answer(self._replies.pop(0), {}) if self._replies else MADE

    async def renew_credentials(self) -> None:
        pass

    def correct_clock(self, _date: str) -> bool:
        return True


def create(sender: Sender) -> str | Refusal:
    async def run() -> str | Refusal:
        operations = Operations(
            sender,
            lambda _operation: Limiter(),
            Repair(sender, SilentLog()),
            outage_limit_s=3600,
            max_attempts=3,
            luck=lambda: 0.0,
            log=SilentLog(),
        )
        return await operations.create_flow("", "promo", ["OTHER"])

    return run_virtual(run())


@pytest.mark.parametrize(
    "reply",
    [
        LOST,
        Reply(503, "InternalError"),
        Reply(503, readable=False, retry_after_ms=100),  # a gateway that gave up may have passed the call on
        Reply(500, "Some.Code", retry_after_ms=100),
        Reply(400, "SignatureNonceUsed"),
    ],
    ids=["lost", "failing", "slow down after a page", "slow down after a failure", "seen before"],
)
def test_a_call_that_may_have_made_a_flow_is_not_made_again(reply: Reply) -> None:
    sender = Sender(reply)
    assert create(sender) == Refusal(reply)
    assert sender.calls == 1


@pytest.mark.parametrize(
    "reply",
    [
        NEVER_SENT,
        Reply(400, "System.LimitControl"),
        Reply(429, "Throttling.User", retry_after_ms=100),
        Reply(400, "ServiceUnavailable"),
        Reply(400, "InvalidTimeStamp.Expired", date="Wed, 25 Nov 2026 19:00:00 GMT"),
        Reply(400, "InvalidSecurityToken.Expired"),
    ],
    ids=["never sent", "throttled", "throttled by a gateway", "unavailable", "clock", "expired"],
)
def test_a_call_that_made_none_is_made_again(reply: Reply) -> None:
    sender = Sender(reply)
    assert create(sender) == "71"
    assert sender.calls == 2


@pytest.mark.parametrize(
    ("endpoint_uri", "more"), [("", {}), ("https://e.example/x", {"EndpointUri": "https://e.example/x"})]
)
def test_the_draft_is_described_whole(endpoint_uri: str, more: dict[str, str]) -> None:
    action = create_flow("cams-x", "né, \u6d41", ["SIGN_UP", "OTHER"], endpoint_uri)
    key = Credentials("YourAccessKeyId", "YourAccessKeySecret")
    query = action.signed(key, host="cams.example", now_s=0.0, nonce="n").query
    assert dict(parse_qsl(query)) == {
        "CustSpaceId": "cams-x",
        "FlowName": "né, \u6d41",
        "Categories": '["SIGN_UP", "OTHER"]',
        **more,
    }
