"""Calls of the operations beside DeleteFlow: their pace, what is repeated, what stops everything, what is a value."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from flowreaper.client.actions import Action, CallerIdentity, FlowDetails, TemplatePage
from flowreaper.client.messages import Answer
from flowreaper.client.operations import FIRST_ANSWER_S, INCOMPLETE, Operations, Refusal
from flowreaper.client.repair import Repair
from flowreaper.errors import Advice, CredentialsError, FatalReplyError, OutageError, RunError
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import HELD_BACK, Flow, Reply
from tests.virtual import run_virtual

FLOW = Flow("346699123", "cams-x")
OK = Reply(200, "OK", "None", "R-1")
THROTTLED = Reply(400, "System.LimitControl", "flow control", "R-2")
BROKEN = Reply(500, "InternalError", "oops", "R-3")
LOCKED = Reply(200, "ServiceUnavailable", "later", "R-3")
LOST = Reply(0, message="the answer was lost", readable=False)
UNSENT = Reply(0, message="no connection", readable=False, reached=False)
DENIED = Reply(400, "Ram.PermissionDeny", "not authorized", "R-4")
GONE = Reply(400, "Flow.NotExist", "no such flow", "R-5")
FOREIGN = Reply(400, "Unknown.ResourceOwnerId", "not yours", "R-6")
STALE = Reply(400, "InvalidSecurityToken.Expired", "expired", "R-7")
SKEWED = Reply(400, "InvalidTimeStamp.Expired", "clock", "R-8", date="Tue, 24 Nov 2026 06:00:00 GMT")
DRAFT: Mapping[str, Any] = {"Data": {"FlowId": "346699123", "FlowName": "sign up", "Status": "DRAFT"}}


class Service:
    """Answers from a script, then with OK; notes each call, and what it was."""

    def __init__(self, *script: Reply, content: Mapping[str, Any] = DRAFT) -> None:
        self.script = list(script)
        self.content = content
        self.calls: list[tuple[float, Action]] = []
        self.always: Reply | None = None
        self.renewals = 0
        self.dates: list[str] = []
        self.no_credentials: RunError | None = None
        self.held_back = 0

    async def call(
        self,
        action: Action,
        timeout_s: float | None = None,  # noqa: ARG002 -- the Protocol's signature
        sent: Callable[[], None] = lambda: None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> Answer:
        if self.held_back:
            self.held_back -= 1
            return Answer(HELD_BACK, {})
        assert may_send()
        sent()
        self.calls.append((asyncio.get_running_loop().time(), action))
        await asyncio.sleep(0.02)
        reply = self.always or (self.script.pop(0) if self.script else OK)
        return Answer(reply, self.content if reply.code == "OK" else {})

    async def renew_credentials(self) -> None:
        self.renewals += 1
        if self.no_credentials:
            raise self.no_credentials

    def correct_clock(self, date: str) -> bool:
        self.dates.append(date)
        return True


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def info(self, event: str, **_: Any) -> None:
        self.events.append(event)

    debug = warning = info


def operations(service: Service, log: Log | None = None, **how: Any) -> Operations:
    log = log or Log()
    defaults: dict[str, Any] = {"outage_limit_s": 600.0, "max_attempts": 4, "luck": lambda: 0.5, "log": log}
    return Operations(service, lambda _: RateLimiter(Pace(5)), Repair(service, log), **(defaults | how))


def get_flow(service: Service, **how: Any) -> FlowDetails | Refusal:
    async def main() -> FlowDetails | Refusal:
        return await operations(service, **how).get_flow(FLOW)

    return run_virtual(main())


def test_a_flow_is_described_by_its_answer() -> None:
    service = Service()
    found = get_flow(service)
    assert isinstance(found, FlowDetails)
    assert (found.flow, found.name, found.status) == (FLOW, "sign up", "DRAFT")
    ((_, action),) = service.calls
    assert (action.name, dict(action.parameters)) == (
        "GetFlow",
        {"FlowId": "346699123", "CustSpaceId": "cams-x"},
    )


def test_an_answer_about_another_flow_says_nothing_of_this_ones_status() -> None:
    other = {"Data": {"FlowId": "1", "Status": "DRAFT"}}
    found = get_flow(Service(content=other))
    assert isinstance(found, FlowDetails)
    assert found.status == ""


@pytest.mark.parametrize("trouble", [THROTTLED, BROKEN, LOCKED, LOST, UNSENT])
def test_a_call_is_repeated_while_trouble_passes(trouble: Reply) -> None:
    service = Service(trouble, trouble, trouble)
    assert isinstance(get_flow(service), FlowDetails)
    assert len(service.calls) == 4


def test_throttling_is_no_failure_however_often_it_comes() -> None:
    service = Service(*[THROTTLED] * 40)
    assert isinstance(get_flow(service), FlowDetails)


def test_a_service_that_fails_for_one_flow_while_it_answers_others_is_a_refusal_in_the_end() -> None:
    service = Service()
    service.always = LOCKED
    assert get_flow(service) == Refusal(LOCKED)
    assert len(service.calls) == 4


@pytest.mark.parametrize("trouble", [LOST, UNSENT, BROKEN])
def test_nothing_that_answers_is_an_outage_and_no_flow_is_refused_for_it(trouble: Reply) -> None:
    service = Service(OK)
    log = Log()

    async def main() -> float:
        calls = operations(service, log)
        await calls.get_flow(FLOW)
        service.always = trouble
        with pytest.raises(OutageError) as caught:
            await calls.get_flow(FLOW)
        assert caught.value.advice is Advice.WAIT_LONGER
        return asyncio.get_running_loop().time()

    assert 600 <= run_virtual(main()) < 660
    assert log.events == ["reading.outage_began"]


def test_a_service_that_has_never_answered_is_not_waited_for_that_long() -> None:
    service = Service()
    service.always = UNSENT

    async def main() -> float:
        with pytest.raises(OutageError, match="GetFlow has had no answer for"):
            await operations(service).get_flow(FLOW)
        return asyncio.get_running_loop().time()

    assert FIRST_ANSWER_S <= run_virtual(main()) < FIRST_ANSWER_S + 60


def test_an_outage_that_ends_is_told_and_its_calls_go_on() -> None:
    log = Log()
    service = Service(OK, LOST, LOST, LOST, OK)

    async def main() -> None:
        calls = operations(service, log)
        for _ in range(2):
            assert isinstance(await calls.get_flow(FLOW), FlowDetails)
        assert calls.silent_since is None

    run_virtual(main())
    assert log.events == ["reading.outage_began", "reading.outage_ended"]


def test_a_call_that_fails_now_and_then_is_no_outage() -> None:
    """It would be told twice for one call in twenty."""
    log = Log()
    service = Service(OK, BROKEN, OK, LOST, UNSENT, OK, BROKEN, BROKEN, OK)

    async def main() -> None:
        calls = operations(service, log)
        for _ in range(4):
            assert isinstance(await calls.get_flow(FLOW), FlowDetails)

    run_virtual(main())
    assert service.script == []
    assert log.events == []


@pytest.mark.parametrize(
    ("reply", "gone"),
    [(GONE, True), (FOREIGN, False), (Reply(400, "Some.Code", "what?"), False)],
)
def test_what_concerns_one_flow_is_a_value(reply: Reply, *, gone: bool) -> None:
    assert get_flow(Service(reply)) == Refusal(reply, gone=gone)


@pytest.mark.parametrize(
    ("operation", "advice"),
    [
        ("get_flow", Advice.WITHOUT_STATUS),
        ("get_flow_json", Advice.WITHOUT_JSON),
        ("list_flow", Advice.WITHOUT_LIST),
        ("list_instance", Advice.WITHOUT_SPACES),
        ("list_template", Advice.WITHOUT_TEMPLATES),
    ],
)
def test_a_missing_permission_names_the_ram_action_and_what_works_without_it(
    operation: str, advice: Advice
) -> None:
    service = Service(DENIED)
    arguments: dict[str, tuple[tuple[Any, ...], dict[str, int]]] = {
        "get_flow": ((FLOW,), {}),
        "get_flow_json": ((FLOW,), {}),
        "list_flow": (("",), {"index": 1, "size": 10}),
        "list_instance": ((), {"index": 1, "size": 10}),
        "list_template": (("",), {"index": 1, "size": 10}),
    }
    args, kwargs = arguments[operation]

    async def main() -> None:
        await getattr(operations(service), operation)(*args, **kwargs)

    with pytest.raises(FatalReplyError) as caught:
        run_virtual(main())
    ((_, action),) = service.calls
    assert f"the action cams:{action.name} on the resource *" in str(caught.value)
    assert "cams:DeleteFlow" not in str(caught.value)
    assert caught.value.advice is advice


def test_expired_credentials_are_renewed_once_for_all_calls() -> None:
    service = Service(STALE, STALE, STALE)

    async def main() -> None:
        calls = operations(service)
        await asyncio.gather(*(calls.get_flow(FLOW) for _ in range(3)))

    run_virtual(main())
    assert service.renewals == 1


def test_credentials_that_cannot_be_renewed_stop_everything() -> None:
    service = Service(STALE)
    service.no_credentials = CredentialsError("there are none")
    with pytest.raises(CredentialsError):
        get_flow(service)


def test_the_clock_follows_the_service() -> None:
    service = Service(SKEWED)
    assert isinstance(get_flow(service), FlowDetails)
    assert service.dates == [SKEWED.date]


def test_each_operation_has_a_pace_of_its_own() -> None:
    service = Service(content={"Data": []})

    async def main() -> None:
        calls = operations(service)
        looks = [calls.get_flow(FLOW) for _ in range(20)]
        lists = [calls.list_flow("", index=1, size=10) for _ in range(20)]
        await asyncio.gather(*looks, *lists)

    run_virtual(main())
    for name in ("GetFlow", "ListFlow"):
        times = [at for at, action in service.calls if action.name == name]
        assert all(later - sooner >= 1.0 for sooner, later in zip(times, times[5:], strict=False))
        assert times[-1] - times[0] < 4.2


def test_a_call_whose_permit_was_stale_asks_for_another() -> None:
    service = Service()
    service.held_back = 2
    assert isinstance(get_flow(service), FlowDetails)
    assert len(service.calls) == 1


@pytest.mark.parametrize(
    ("reply", "calls"), [(LOST, 1), (BROKEN, 1), (UNSENT, 2), (THROTTLED, 2), (Reply(503, "X", "x"), 1)]
)
def test_a_draft_is_not_made_twice_where_nobody_knows_whether_it_was_made(reply: Reply, calls: int) -> None:
    service = Service(reply, content={"Data": {"FlowId": "9"}})

    async def main() -> str | Refusal:
        return await operations(service).create_flow("", "sign up", ["SIGN_UP"])

    made = run_virtual(main())
    assert len(service.calls) == calls
    assert made == ("9" if calls == 2 else Refusal(reply))


def test_whose_key_it_is_is_asked_of_sts_in_its_own_version() -> None:
    service = Service(
        content={"AccountId": "1234567890123456", "Arn": "acs:ram::1:user/a", "IdentityType": "RAMUser"}
    )

    async def main() -> CallerIdentity | Refusal:
        return await operations(service).get_caller_identity()

    assert run_virtual(main()) == CallerIdentity("1234567890123456", "acs:ram::1:user/a", "RAMUser")
    ((_, action),) = service.calls
    assert (action.name, action.version, action.coded) == ("GetCallerIdentity", "2015-04-01", False)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"FilePath": "https://files.example/7"},
        {"FlowId": "8", "FilePath": ""},
        {"FlowId": FLOW.flow_id, "FilePath": {"Url": "https://files.example/7"}},
    ],
)
def test_an_answer_that_does_not_say_where_a_flows_json_is_does_not_say_that_it_has_none(
    data: object,
) -> None:
    async def main() -> str | Refusal:
        return await operations(Service(content={"Data": data})).get_flow_json(FLOW)

    found = run_virtual(main())
    assert isinstance(found, Refusal)
    assert (found.reply.code, found.reply.message) == (
        INCOMPLETE,
        "it does not say where this flow's JSON is",
    )


@pytest.mark.parametrize("path", [{}, {"FilePath": None}, {"FilePath": ""}])
def test_a_flow_may_have_no_json(path: Mapping[str, object]) -> None:
    async def main() -> str | Refusal:
        return await operations(Service(content={"Data": {"FlowId": FLOW.flow_id, **path}})).get_flow_json(
            FLOW
        )

    assert run_virtual(main()) == ""


@pytest.mark.parametrize("data", [None, {}, "none", 0])
def test_a_page_without_a_list_is_not_an_empty_one(data: object) -> None:
    """Else every flow would look deleted, and none in use."""

    async def main() -> tuple[object, object, object]:
        calls = operations(Service(content={"Data": data, "ListTemplate": data}))
        counted = operations(Service(content={"Total": 0}))
        return (
            await calls.list_flow("", index=1, size=100),
            await calls.list_template("", index=1, size=100),
            await counted.list_template("", index=1, size=100),
        )

    flows, templates, none = run_virtual(main())
    assert flows is None
    assert isinstance(templates, Refusal)
    assert templates.reply.code == INCOMPLETE
    assert none == TemplatePage([], 0)
