import asyncio
import contextlib
import json
import ssl
import time
from typing import Any

import aiohttp
import pytest
import trustme
from yarl import URL

from flowreaper.errors import ConfigurationError
from flowreaper.model import Flow
from flowreaper.sandbox import Sandbox, SandboxOptions
from flowreaper.sandbox.delivery import HUGE_BYTES, REDIRECT_PATH
from flowreaper.sandbox.ledger import Call
from flowreaper.sandbox.trouble import Trouble


def facts(call: Call) -> tuple[str | None, int | None, bool, str | None]:
    return call.code, call.http_status, call.deleted, call.trouble


async def test_each_answer_is_in_the_ledger_with_what_it_did(start: Any) -> None:
    client = await start(published={"2"}, foreign={"cams-x,3"})
    for flow in (Flow("1"), Flow("1"), Flow("2"), Flow("3", "cams-x")):
        await client.delete(*flow)
    assert [facts(call) for call in client.sandbox.ledger.calls] == [
        ("OK", 200, True, None),
        ("Flow.NotExist", 400, False, None),
        ("Flow.StatusInvalid", 400, False, None),
        ("Unknown.ResourceOwnerId", 400, False, None),
    ]


async def test_answers_have_the_documented_shapes(start: Any) -> None:
    client = await start()
    success, error = [json.loads((await client.delete("1")).body) for _ in range(2)]
    assert set(success) == {"AccessDeniedDetail", "RequestId", "Message", "Code"}
    assert set(error) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert (success["Code"], success["Message"]) == ("OK", "None")
    assert success["RequestId"] != error["RequestId"] == error["RequestId"].upper()


@pytest.mark.parametrize(
    "trouble", ["", "deny:#1", "answer:Some.Code:#1", "cut-body:#1", "drip:#1", "huge:#1"]
)
async def test_the_header_names_the_request_id_of_the_body(start: Any, trouble: str) -> None:
    client = await start(trouble=trouble, drip_s=0)
    query, headers = client.request(Flow("1"))
    url = URL(f"{client.sandbox.url}/?{query}", encoded=True)
    body = b""
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        request_id = response.headers["x-acs-request-id"]
        with contextlib.suppress(aiohttp.ClientPayloadError):
            async for piece in response.content.iter_any():
                body += piece
    # Half of an answer may hold half of the id.
    said = body.partition(b'"RequestId": "')[2].partition(b'"')[0].decode()
    assert len(said) > 8
    assert request_id.startswith(said) if trouble == "cut-body:#1" else request_id == said


async def test_no_answer_names_aiohttp(start: Any) -> None:
    kinds = [kind for kind in Trouble if kind.partition("-")[0] not in {"reset", "hang", "cut", "answer"}]
    client = await start(trouble=",".join(f"{kind}:#{n}" for n, kind in enumerate(kinds, 1)), drip_s=0)
    got = [await client.delete(str(n)) for n in range(len(kinds) + 1)]
    got += [await client.get("/ledger"), await client.get("/elsewhere"), await client.get("/other")]
    assert [call.trouble for call in client.sandbox.ledger.calls] == [*kinds, None]
    assert [answer.headers.get("Server") for answer in got] == [None] * len(got)


async def test_a_call_without_flow_id_is_refused(start: Any) -> None:
    client = await start()
    got = await client.delete("", "cams-x")
    assert (got.status, got.code) == (400, "MissingFlowId")


async def test_what_exceeds_the_quota_is_refused_and_not_deleted(start: Any) -> None:
    client = await start(window="sliding", rate=5)
    got = await asyncio.gather(*(client.delete(str(n)) for n in range(40)))
    throttled = [answer for answer in got if (answer.status, answer.code) == (400, "System.LimitControl")]
    admitted = [call for call in client.sandbox.ledger.calls if call.deleted]
    assert len(throttled) + len(admitted) == 40
    assert throttled
    assert len(client.sandbox.service.deleted) == len(admitted)


async def test_a_badly_signed_call_does_not_use_the_quota_up(start: Any) -> None:
    client = await start(window="bucket", rate=1)
    query, headers = client.request(Flow("1"))
    for _ in range(5):
        await client.send("FlowId=2", headers)
    assert (await client.send(query, headers)).code == "OK"


@pytest.mark.parametrize("options", [{"latency_s": 0.05}, {"jitter_s": 0.1, "seed": 0}])
async def test_latency_and_jitter_hold_each_call_up_but_let_it_through(
    start: Any, options: dict[str, float]
) -> None:
    client = await start(**options)
    started_s = time.perf_counter()
    assert (await client.delete("1")).code == "OK"
    # A lower bound only; the first draw of seed 0 is 0.84 of the jitter.
    assert time.perf_counter() - started_s >= 0.045
    got = await asyncio.gather(*(client.delete(f"x{n}") for n in range(20)))
    assert {answer.code for answer in got} == {"OK"}
    assert len(client.sandbox.service.deleted) == 21


async def test_the_ledger_is_served_as_json_from_any_call_on(start: Any) -> None:
    client = await start(trouble="html-503:#2")
    before_s = time.time()
    for n in range(3):
        await client.delete(str(n), "cams-x")
    whole = json.loads((await client.get("/ledger")).body)
    assert (whole["total"], whole["redirects_followed"], len(whole["calls"])) == (3, 0, 3)
    second = whole["calls"][1]
    assert before_s <= second.pop("at_s") <= time.time()
    assert second.pop("peer_port") > 0
    assert second == {
        "number": 2,
        "flow_id": "1",
        "cust_space_id": "cams-x",
        "code": None,
        "http_status": 503,
        "deleted": False,
        "trouble": "html-503",
    }
    later = json.loads((await client.get("/ledger?since=2")).body)
    assert later["calls"] == whole["calls"][2:]
    assert json.loads((await client.get("/ledger?since=9")).body)["calls"] == []
    assert (await client.get("/ledger?since=x")).status == 400


async def test_a_ledger_of_many_pages_is_served_whole(start: Any) -> None:
    client = await start(ledger_limit=2500)
    for n in range(3000):
        client.sandbox.ledger.arrive(at_s=n, flow_id=str(n), cust_space_id="", peer_port=1)
    calls = json.loads((await client.get("/ledger")).body)["calls"]
    assert [call["number"] for call in calls] == list(range(501, 3001))


async def test_no_other_path_or_method_deletes(start: Any) -> None:
    client = await start()
    query, headers = client.request(Flow("1"))
    got = await client.send(query, headers, path="/other")
    assert (got.status, got.code) == (404, "InvalidApi.NotFound")
    got = await client.send(query, headers, method="PUT")
    assert (got.status, got.code) == (404, "InvalidApi.NotFound")
    assert (client.sandbox.ledger.total, client.sandbox.service.deleted) == (0, set())


# Trouble.


@pytest.mark.parametrize(
    ("trouble", "status", "code", "message"),
    [
        (Trouble.ERROR_500, 500, "InternalError", "unknown error"),
        (Trouble.OK_WITH_ERROR_CODE, 200, "Flow.Locked", "locked"),
        (Trouble.THROTTLE, 400, "System.LimitControl", "The system is under flow control."),
        (Trouble.THROTTLE_RETRY_AFTER, 400, "System.LimitControl", "flow control"),
        (Trouble.DENY, 400, "Ram.PermissionDeny", "You are not authorized to perform the operation."),
        (Trouble.EXPIRED_TOKEN, 400, "InvalidSecurityToken.Expired", "expired"),
    ],
)
async def test_trouble_that_answers_deletes_nothing(
    start: Any, trouble: Trouble, status: int, code: str, message: str
) -> None:
    client = await start(trouble=f"{trouble}:#1")
    got = await client.delete("1")
    assert (got.status, got.code) == (status, code)
    assert message in json.loads(got.body)["Message"]
    assert ("x-acs-retry-after" in got.headers) == (trouble is Trouble.THROTTLE_RETRY_AFTER)
    assert facts(client.sandbox.ledger.calls[0]) == (code, status, False, trouble)
    assert (await client.delete("1")).code == "OK"


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("Product.Unsubscript", 400, "You have not subscribed to the specified product."),
        ("InvalidApi.NotFound", 404, "Specified api is not found,please check your url and method."),
        ("Never.Heard_Of-1", 400, "The sandbox was asked for this code."),
    ],
)
async def test_any_code_can_be_the_answer(start: Any, code: str, status: int, message: str) -> None:
    client = await start(trouble=f"answer:{code}:#1")
    got = await client.delete("1")
    assert (got.status, got.code, got.message) == (status, code, message)
    assert facts(client.sandbox.ledger.calls[0]) == (code, status, False, f"answer:{code}")
    assert (await client.delete("1")).code == "OK"


async def test_a_throttle_can_name_the_milliseconds_to_wait(start: Any) -> None:
    client = await start(trouble="throttle-retry-after:1")
    assert (await client.delete("1")).headers["x-acs-retry-after"] == "300"


@pytest.mark.parametrize(("trouble", "deleted"), [(Trouble.RESET_BEFORE, False), (Trouble.RESET_AFTER, True)])
async def test_a_reset_comes_before_or_after_the_deletion(
    start: Any, trouble: Trouble, *, deleted: bool
) -> None:
    client = await start(trouble=f"{trouble}:#1")
    with pytest.raises(aiohttp.ClientOSError, match="reset by peer"):
        await client.delete("1")
    assert facts(client.sandbox.ledger.calls[0]) == (None, None, deleted, trouble)
    assert (await client.delete("1")).code == ("Flow.NotExist" if deleted else "OK")


@pytest.mark.parametrize(("trouble", "deleted"), [(Trouble.HANG_BEFORE, False), (Trouble.HANG_AFTER, True)])
async def test_a_hang_comes_before_or_after_the_deletion_and_ends_with_the_sandbox(
    start: Any, trouble: Trouble, *, deleted: bool
) -> None:
    client = await start(trouble=f"{trouble}:#1")
    waiting = asyncio.create_task(client.delete("1"))
    while not (client.sandbox.ledger.total and client.sandbox.ledger.calls[0].trouble):  # noqa: ASYNC110 -- the sandbox tells nobody that it hangs
        await asyncio.sleep(0)
    assert (await client.delete("2")).code == "OK"
    assert not waiting.done()
    assert facts(client.sandbox.ledger.calls[0]) == (None, None, deleted, trouble)
    await client.sandbox.__aexit__(None, None, None)
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_a_proxys_page_deletes_nothing(start: Any) -> None:
    client = await start(trouble="html-503:#1")
    got = await client.delete("1")
    assert (got.status, got.headers["Content-Type"], got.body[:6]) == (503, "text/html", b"<html>")
    assert facts(client.sandbox.ledger.calls[0]) == (None, 503, False, "html-503")


async def test_a_cut_body_hides_a_deletion(start: Any) -> None:
    client = await start(trouble="cut-body:#1")
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.delete("1")
    assert facts(client.sandbox.ledger.calls[0]) == (None, 200, True, "cut-body")
    assert (await client.delete("1")).code == "Flow.NotExist"


@pytest.mark.parametrize("trouble", [Trouble.GARBAGE, Trouble.EMPTY])
async def test_garbage_and_nothing_hide_a_deletion(start: Any, trouble: Trouble) -> None:
    client = await start(trouble=f"{trouble}:#1")
    got = await client.delete("1")
    assert (got.status, got.headers["Content-Type"]) == (200, "application/json;charset=utf-8")
    assert bool(got.body) == (trouble is Trouble.GARBAGE)
    with pytest.raises(ValueError, match=r"codec|Expecting"):
        json.loads(got.body)
    assert facts(client.sandbox.ledger.calls[0]) == (None, 200, True, trouble)


async def test_a_dripping_answer_is_the_right_one_in_many_pieces(start: Any) -> None:
    client = await start(trouble="drip:1", drip_s=0.2)
    query, headers = client.request(Flow("1"))
    url = URL(f"{client.sandbox.url}/?{query}", encoded=True)
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        pieces = [piece async for piece in response.content.iter_any()]
    assert len(pieces) > 1
    assert json.loads(b"".join(pieces))["Code"] == "OK"
    assert facts(client.sandbox.ledger.calls[0]) == ("OK", 200, True, "drip")


async def test_a_huge_answer_is_ten_megabytes_of_valid_json(start: Any) -> None:
    client = await start(trouble="huge:1")
    got = await client.delete("1")
    assert (len(got.body), got.code) == (HUGE_BYTES, "OK") == (10_000_000, "OK")
    assert facts(client.sandbox.ledger.calls[0]) == ("OK", 200, True, "huge")


async def test_a_client_may_leave_in_the_middle_of_a_huge_answer(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(trouble="huge:#1")
    query, headers = client.request(Flow("1"))
    url = URL(f"{client.sandbox.url}/?{query}", encoded=True)
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers) as response:
        await response.content.read(1000)
        response.close()
    assert (await client.delete("1")).code == "Flow.NotExist"
    assert caplog.records == []


async def test_a_redirect_shows_who_follows_it(start: Any) -> None:
    client = await start(trouble="redirect:1")
    query, headers = client.request(Flow("1"))
    got = await client.send(query, headers)
    assert (got.status, got.headers["Location"]) == (307, REDIRECT_PATH)
    assert facts(client.sandbox.ledger.calls[0]) == (None, 307, False, "redirect")
    assert client.sandbox.ledger.redirects_followed == 0
    await client.send(query, headers, path=REDIRECT_PATH)
    assert client.sandbox.ledger.redirects_followed == 1
    assert client.sandbox.service.deleted == set()


async def test_trouble_after_the_work_spoils_a_refusal_too_and_keeps_its_status(start: Any) -> None:
    client = await start(trouble="drip:1", drip_s=0, published={"1"})
    got = await client.delete("1")
    assert (got.status, got.code) == (400, "Flow.StatusInvalid")
    assert facts(client.sandbox.ledger.calls[0]) == ("Flow.StatusInvalid", 400, False, "drip")


async def test_a_badly_signed_call_meets_no_trouble(start: Any) -> None:
    client = await start(trouble="reset-before:1")
    got = await client.send("FlowId=2", client.request(Flow("1")).headers)
    assert got.code == "SignatureDoesNotMatch"
    assert facts(client.sandbox.ledger.calls[0])[3] is None


async def test_trouble_before_the_work_leaves_the_quota_alone(start: Any) -> None:
    client = await start(window="bucket", rate=1, trouble="error-500:#1-5")
    codes = [(await client.delete("1")).code for _ in range(6)]
    assert codes == ["InternalError"] * 5 + ["OK"]


# Life.


async def test_it_listens_on_the_loopback_only_and_frees_its_port() -> None:
    async with Sandbox(SandboxOptions()) as first:
        port = first.port
        assert first.url == f"http://127.0.0.1:{port}"
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*another port"):
            await Sandbox(SandboxOptions(), port=port).__aenter__()
    async with Sandbox(SandboxOptions(), port=port) as second:
        assert second.port == port


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": "round"}, "no window 'round'"),
        ({"rate": 0}, "rate is 0"),
        ({"latency_s": -1}, "latency is -1"),
        ({"jitter_s": float("nan")}, "jitter is nan"),
        ({"trouble": "flood:1"}, "unknown trouble 'flood'"),
    ],
)
async def test_options_that_cannot_be_used_are_a_configuration_error(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await Sandbox(SandboxOptions(**options)).__aenter__()


async def test_it_speaks_https_with_a_given_context(start: Any) -> None:
    authority = trustme.CA()
    served, trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(served)
    authority.configure_trust(trusted)
    async with Sandbox(SandboxOptions(), ssl_context=served) as sandbox, aiohttp.ClientSession() as session:
        assert sandbox.url.startswith("https://")
        async with session.get(f"{sandbox.url}/ledger", ssl=trusted) as response:
            assert (await response.json())["total"] == 0
