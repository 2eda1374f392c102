"""What flowreaper is measured against, each a program: ``python -m tests.benchmarks.peers NAME ...``.

- ``bare FILE CONCURRENCY``: a bare aiohttp loop that signs and posts the same calls and records nothing.
- ``even|burst|unpaced FILE``: the official SDK's async client behind AsyncLimiter(1, 0.2), AsyncLimiter(5, 1),
  or as fast as it goes.
- ``foreign PER_S SECONDS``: another client of the account, which spends an even PER_S of its quota.

The endpoint and the key come from the environment lines of ``flowreaper sandbox``. The bare loop has a signer
of its own, so that a slow one in flowreaper would show. Only modules that a peer needs itself are imported.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import ssl
import sys
import time
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

ENDPOINT = os.environ["FLOWREAPER_ENDPOINT"]
KEY_ID = os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"]
SECRET = os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"]
EMPTY = hashlib.sha256(b"").hexdigest()

Delete = Callable[[str], Coroutine[None, None, object]]


@contextlib.asynccontextmanager
async def bare_client(concurrency: int) -> AsyncIterator[Delete]:
    """Give a function that signs and posts one call."""
    import aiohttp
    from yarl import URL

    host = urlsplit(ENDPOINT).netloc
    connector = aiohttp.TCPConnector(
        limit=concurrency, ssl=ssl.create_default_context() if ENDPOINT.startswith("https") else False
    )
    skipped = ("Content-Type", "Accept-Encoding")
    async with aiohttp.ClientSession(connector=connector, skip_auto_headers=skipped) as session:

        async def delete(flow_id: str) -> object:
            query, headers = signed(host, flow_id)
            async with session.post(URL(f"{ENDPOINT}/?{query}", encoded=True), headers=headers) as answer:
                reply: dict[str, str] = await answer.json()
                return reply["Code"]

        yield delete


def signed(host: str, flow_id: str) -> tuple[str, dict[str, str]]:
    """Return the query and the headers of one signed call."""
    query = f"FlowId={quote(flow_id, safe='~')}"
    headers = {
        "host": host,
        "x-acs-action": "DeleteFlow",
        "x-acs-content-sha256": EMPTY,
        "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "x-acs-signature-nonce": os.urandom(16).hex(),
        "x-acs-version": "2020-06-06",
    }
    block = "".join(f"{name}:{value}\n" for name, value in headers.items())
    names = ";".join(headers)
    canonical = f"POST\n/\n{query}\n{block}\n{names}\n{EMPTY}"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(SECRET.encode(), to_sign.encode(), "sha256").hex()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={KEY_ID},SignedHeaders={names},Signature={signature}"
    )
    return query, headers


async def bare(flow_ids: Iterator[str], concurrency: int) -> None:
    """Delete every flow, so many at a time."""
    async with bare_client(concurrency) as delete:

        async def work() -> None:
            for flow_id in flow_ids:
                assert await delete(flow_id) == "OK"

        await asyncio.gather(*(work() for _ in range(concurrency)))


async def sdk(flow_ids: Iterator[str], limits: tuple[float, float] | None) -> None:
    """Delete every flow with the official client, one task a flow as its users write it."""
    from aiolimiter import AsyncLimiter

    delete = sdk_client()
    if limits is None:
        for flow_id in flow_ids:
            assert await delete(flow_id) == "OK"
        return
    limiter = AsyncLimiter(*limits)

    async def one(flow_id: str) -> None:
        while True:
            async with limiter:
                pass
            if await delete(flow_id) == "OK":
                return

    await asyncio.gather(*(one(flow_id) for flow_id in flow_ids))


def sdk_client() -> Delete:
    """Return a function that deletes one flow with the official SDK, and returns its Code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from alibabacloud_cams20200606 import models
        from alibabacloud_cams20200606.client import Client
        from alibabacloud_tea_openapi.utils_models import Config
        from darabonba.runtime import RuntimeOptions

    parts = urlsplit(ENDPOINT)
    client = Client(
        Config(access_key_id=KEY_ID, access_key_secret=SECRET, protocol=parts.scheme, endpoint=parts.netloc)
    )
    runtime = RuntimeOptions(autoretry=False, connect_timeout=10_000, read_timeout=10_000)

    async def delete(flow_id: str) -> object:
        try:
            answer = await client.delete_flow_with_options_async(
                models.DeleteFlowRequest(flow_id=flow_id), runtime
            )
        except Exception as error:  # noqa: BLE001 -- the SDK's exceptions share no documented base
            return getattr(error, "code", None) or repr(error)
        return answer.body.code

    return delete


async def foreign(per_s: float, seconds: float) -> None:
    """Send an even number of calls a second, whatever is answered."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with bare_client(10) as delete, asyncio.TaskGroup() as calls:
        for number in range(int(per_s * seconds)):
            await asyncio.sleep(began + number / per_s - loop.time())
            calls.create_task(delete(f"9{number}"))


def read(path: str) -> Iterator[str]:
    """Return the ids of a file."""
    return iter(Path(path).read_text(encoding="utf-8").split())


def main(name: str, *arguments: str) -> None:
    """Run one peer."""
    match name:
        case "bare":
            asyncio.run(bare(read(arguments[0]), int(arguments[1])))
        case "even" | "burst" | "unpaced":
            limits = {"even": (1.0, 0.2), "burst": (5.0, 1.0)}.get(name)
            asyncio.run(sdk(read(arguments[0]), limits))
        case _:
            asyncio.run(foreign(float(arguments[0]), float(arguments[1])))


if __name__ == "__main__":
    main(*sys.argv[1:])
