"""A judge from outside: the official SDK's own asynchronous client against the sandbox."""

import asyncio
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flowreaper.model import Credentials, Flow
from flowreaper.sandbox import CREDENTIALS, Sandbox

with warnings.catch_warnings():
    # The vendor's packages import what newer Pythons deprecate; only what their import says is silenced.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alibabacloud_cams20200606 import models
    from alibabacloud_cams20200606.client import Client
    from alibabacloud_tea_openapi.utils_models import Config
    from darabonba.runtime import RuntimeOptions

Delete = Callable[..., Awaitable[str]]

# The vendor's client also calls what Python 3.13 and later deprecate; a warning that is an error would be
# raised inside it, and taken for an answer without a code.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sandbox, Credentials], Delete]:
    """A function that makes a deleting function, which returns the Code that the SDK got."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)

    def make(sandbox: Sandbox, credentials: Credentials = CREDENTIALS) -> Delete:
        client = Client(
            Config(
                access_key_id=credentials.access_key_id,
                access_key_secret=credentials.access_key_secret,
                security_token=credentials.security_token or None,
                protocol="http",
                endpoint=f"127.0.0.1:{sandbox.port}",
            )
        )
        runtime = RuntimeOptions(autoretry=False, connect_timeout=10_000, read_timeout=10_000)

        async def delete(flow_id: str, cust_space_id: str | None = None) -> str:
            request = models.DeleteFlowRequest(flow_id=flow_id, cust_space_id=cust_space_id)
            try:
                response = await client.delete_flow_with_options_async(request, runtime)
            except Exception as error:  # noqa: BLE001 -- the SDK's exceptions share no documented base; a Code tells
                return str(getattr(error, "code", error))
            return str(response.body.code)

        return delete

    return make


async def test_it_deletes_flows_of_odd_ids(start: Any, sdk: Any) -> None:
    sandbox = (await start()).sandbox
    delete = sdk(sandbox)
    flows = [
        Flow("346699123"),
        Flow("346699123", "cams-awlkj23a09jd"),
        Flow("a b*~+/:%é'(!)"),
        Flow("1&FlowId=2#?;"),
        Flow("流程"),
    ]
    assert [await delete(flow.flow_id, flow.cust_space_id or None) for flow in flows] == ["OK"] * len(flows)
    assert sandbox.service.deleted == set(flows)


async def test_it_is_told_of_a_missing_flow(start: Any, sdk: Any) -> None:
    delete = sdk((await start()).sandbox)
    assert [await delete("1"), await delete("1")] == ["OK", "Flow.NotExist"]


async def test_it_is_throttled_when_it_sends_more_than_five_in_a_second(start: Any, sdk: Any) -> None:
    sandbox = (await start(window="sliding", rate=5)).sandbox
    delete = sdk(sandbox)
    codes = await asyncio.gather(*(delete(str(n)) for n in range(40)))
    assert set(codes) == {"OK", "System.LimitControl"}
    assert codes.count("OK") == len(sandbox.service.deleted)


async def test_it_signs_a_security_token(start: Any, sdk: Any) -> None:
    sts = Credentials(CREDENTIALS.access_key_id, CREDENTIALS.access_key_secret, "TOKEN+/=")
    sandbox = (await start(credentials=sts)).sandbox
    assert await sdk(sandbox, sts)("1") == "OK"
    assert await sdk(sandbox, CREDENTIALS)("2") == "InvalidSecurityToken.Expired"


async def test_its_wrong_secret_is_found_out(start: Any, sdk: Any) -> None:
    sandbox = (await start()).sandbox
    wrong = Credentials(CREDENTIALS.access_key_id, "guess")
    assert await sdk(sandbox, wrong)("1") == "SignatureDoesNotMatch"


async def test_it_counts_a_refusal_with_http_200_as_done(start: Any, sdk: Any) -> None:
    sandbox = (await start(trouble="ok-with-error-code:1")).sandbox
    assert await sdk(sandbox)("1") == "Flow.Locked"
    assert sandbox.service.deleted == set()
