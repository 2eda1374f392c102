"""What becomes of a flow that is to be saved: it is saved, it is given up, or the run stops."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flowreaper.client.asset import Asset, NotFetched
from flowreaper.client.endpoint import Endpoint
from flowreaper.client.operations import Refusal
from flowreaper.errors import Advice, BackupError, BackupInUseError, FatalReplyError, OutageError, OutputError
from flowreaper.events import SilentLog
from flowreaper.model import Finding, Flow, Reply, State
from flowreaper.safeguards.backup import MAX_UNSAVED, NOT_SAVED, TRIES, Backup, FileHost, open_backup
from flowreaper.safeguards.backup_entry import Saved
from tests.safeguards.samples import JSON, details
from tests.virtual import run_virtual

URL = "https://files.example/{}?Signature=hunter2-{}"
NOW = datetime(2026, 11, 25, 19, 0, 0, 123456, UTC)
DOWN = NotFetched("no connection to files.example", reached=False)
EXPIRED = NotFetched("files.example answered HTTP 403")
TOO_LONG = NotFetched("it is longer than 10 bytes", permanent=True)
REFUSED = Refusal(Reply(400, "Some.Code", "no\x1b[31m", "RID-1"))


class Urls:
    """Gives every flow a new URL each time; `answers` by flow id come first."""

    def __init__(self, answers: dict[str, str | Refusal | Exception] | None = None) -> None:
        self._answers = answers or {}
        self.asked: list[str] = []

    async def get_flow_json(self, flow: Flow) -> str | Refusal:
        self.asked.append(flow.flow_id)
        answer = self._answers.get(flow.flow_id, URL.format(flow.flow_id, len(self.asked)))
        if isinstance(answer, Exception):
            raise answer
        return answer


class Files:
    """Answers as `answer` says for a flow's id and the time."""

    def __init__(self, answer: Callable[[str, float], Asset | NotFetched]) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def fetch(self, text: str) -> Asset | NotFetched:
        self.asked.append(text)
        await asyncio.sleep(0.01)
        match = re.search("example/([^?]*)", text)
        assert match
        return self._answer(match[1], asyncio.get_running_loop().time())


class Kept:
    """Keeps what is saved in memory."""

    def __init__(self, error: OutputError | None = None) -> None:
        self.flows: list[Saved] = []
        self._error = error

    async def put(self, saved: Saved) -> None:
        if self._error:
            raise self._error
        self.flows.append(saved)


class Events(SilentLog):
    def __init__(self) -> None:
        self.names: list[str] = []

    def info(self, event: str, **fields: object) -> None:  # noqa: ARG002 -- the Protocol's signature
        self.names.append(event)

    warning = info


class Rig:
    """A backup in virtual time, with fakes around it."""

    def __init__(
        self,
        answer: Callable[[str, float], Asset | NotFetched] = lambda *_: Asset(JSON),
        urls: dict[str, str | Refusal | Exception] | None = None,
        *,
        error: OutputError | None = None,
        outage_limit_s: float = 3600,
    ) -> None:
        self.urls = Urls(urls)
        self.files = Files(answer)
        self.kept = Kept(error)
        self.log = Events()
        host = FileHost(outage_limit_s, self.log)
        self.backup = Backup(self.urls, self.files, self.kept, host, luck=lambda: 1.0, now=lambda: NOW)

    async def save(self, *flow_ids: str) -> list[Finding | None]:
        return [await self.backup.save(details(flow_id)) for flow_id in flow_ids]

    def run(self, *flow_ids: str) -> list[Finding | None]:
        return run_virtual(self.save(*flow_ids))


def test_nothing_is_saved_of_an_answer_that_does_not_describe_the_flow() -> None:
    rig = Rig()
    finding = run_virtual(rig.backup.save(details()._replace(status="")))
    assert reason(finding) == "GetFlow's answer does not describe the flow"
    assert (rig.kept.flows, rig.urls.asked) == ([], [])


def reason(finding: Finding | None) -> str:
    """Return why a flow is given up; the reason never holds the URL's secret."""
    assert finding is not None
    assert (finding.state, finding.reply.status, finding.reply.code) == (State.GAVE_UP, 0, NOT_SAVED)
    assert "hunter2" not in finding.reply.message
    assert finding.reply.message.isprintable()
    return finding.reply.message


def test_a_flow_is_saved_with_its_json() -> None:
    rig = Rig()
    assert rig.run("1") == [None]
    assert rig.kept.flows == [Saved(details("1"), JSON, "2026-11-25T19:00:00.123Z")]


def test_a_flow_without_json_is_saved_with_its_details_alone() -> None:
    rig = Rig(urls={"1": ""})
    assert rig.run("1") == [None]
    assert rig.kept.flows[0].content is None
    assert rig.files.asked == []


def test_a_url_that_has_expired_is_asked_for_again() -> None:
    answers: Iterator[Asset | NotFetched] = iter([EXPIRED, EXPIRED, EXPIRED, Asset(JSON)])
    rig = Rig(lambda *_: next(answers))
    assert rig.run("1") == [None]
    assert len(set(rig.files.asked)) == TRIES


def test_a_file_that_never_comes_gives_the_flow_up() -> None:
    rig = Rig(lambda *_: EXPIRED)
    assert "HTTP 403" in reason(rig.run("1")[0])
    assert len(rig.files.asked) == TRIES
    assert rig.kept.flows == []


def test_what_will_not_change_is_not_tried_again() -> None:
    rig = Rig(lambda *_: TOO_LONG)
    assert "longer than" in reason(rig.run("1")[0])
    assert len(rig.files.asked) == 1


def test_a_refused_flow_is_given_up_with_the_services_code() -> None:
    message = reason(Rig(urls={"1": REFUSED}).run("1")[0])
    assert "Some.Code" in message
    assert "RID-1" in message


def test_what_concerns_every_call_blames_no_flow() -> None:
    with pytest.raises(FatalReplyError):
        Rig(urls={"1": FatalReplyError("no permission")}).run("1")


def test_what_cannot_be_written_blames_no_flow() -> None:
    with pytest.raises(OutputError, match="full"):
        Rig(error=OutputError("full")).run("1")


def test_an_outage_of_the_file_host_is_waited_for_and_blames_no_flow() -> None:
    rig = Rig(lambda flow_id, now: Asset(JSON) if flow_id == "0" or now > 1800 else DOWN)

    async def run() -> list[Finding | None]:
        await rig.save("0")  # the host has answered once
        return list(await asyncio.gather(*(rig.backup.save(details(str(n))) for n in range(1, 30))))

    assert run_virtual(run()) == [None] * 29
    assert rig.log.names == ["backup.outage_began", "backup.outage_ended"]
    assert len(rig.files.asked) < 29 * 100


@pytest.mark.parametrize(
    ("answered", "limit_s", "lasts_s"), [(True, 3600, 3600), (False, 3600, 60), (False, 5, 5)]
)
def test_an_outage_without_end_stops_the_run(*, answered: bool, limit_s: float, lasts_s: float) -> None:
    ended = 0.0

    async def run() -> None:
        nonlocal ended
        if answered:
            await rig.save("0")
        try:
            await rig.save("1")
        finally:
            ended = asyncio.get_running_loop().time()

    rig = Rig(lambda flow_id, _: Asset(JSON) if flow_id == "0" else DOWN, outage_limit_s=limit_s)
    with pytest.raises(OutageError, match=r"no connection to files\.example") as caught:
        run_virtual(run())
    assert caught.value.advice is Advice.WAIT_LONGER
    assert lasts_s <= ended <= lasts_s + 40


def test_a_flow_whose_file_alone_cannot_be_reached_is_given_up() -> None:
    async def run() -> Finding | None:
        async def others() -> None:
            while True:
                await rig.save("0")

        meanwhile = asyncio.create_task(others())
        try:
            return await rig.backup.save(details("1"))
        finally:
            meanwhile.cancel()

    rig = Rig(lambda flow_id, _: Asset(JSON) if flow_id == "0" else DOWN)
    assert "no connection" in reason(run_virtual(run()))


def test_many_flows_in_a_row_that_cannot_be_saved_stop_the_run_before_another_is_blamed() -> None:
    rig = Rig(urls={str(n): REFUSED for n in range(100)})
    assert all(map(reason, rig.run(*map(str, range(MAX_UNSAVED)))))
    with pytest.raises(
        BackupError, match=r"10 flows in a row.*were given up and not deleted.*Some\.Code"
    ) as caught:
        rig.run("50")
    assert caught.value.advice is Advice.RETRY_UNSAVED
    assert "50" not in rig.urls.asked


def test_flows_that_are_saved_at_the_same_time_are_not_blamed_beyond_that_number() -> None:
    async def run() -> list[Any]:
        saves: list[Awaitable[Finding | None]] = [rig.backup.save(details(str(n))) for n in range(30)]
        return await asyncio.gather(*saves, return_exceptions=True)

    rig = Rig(lambda *_: TOO_LONG)
    found = run_virtual(run())
    assert sum(isinstance(each, Finding) for each in found) == MAX_UNSAVED
    assert sum(isinstance(each, BackupError) for each in found) == 20


def test_a_flow_that_is_saved_between_ends_the_row() -> None:
    rig = Rig(urls={str(n): REFUSED for n in range(1, 100)})
    for _ in range(5):
        rig.run(*map(str, range(1, MAX_UNSAVED)), "0")
    assert len(rig.kept.flows) == 5


async def test_a_backup_is_opened_for_one_process_and_begun_at_once(tmp_path: Path) -> None:
    path = tmp_path / "saved"

    def opened(urls: Urls) -> Any:
        return open_backup(
            path,
            urls,
            endpoint=Endpoint("http", "127.0.0.1", 1),
            account="17",
            outage_limit_s=1,
            log=SilentLog(),
        )

    async with opened(Urls({"1": ""})) as backup:
        with pytest.raises(BackupInUseError):
            async with opened(Urls()):
                pass
        assert await backup.save(details("1")) is None
        (line,) = (path / "index.jsonl").read_text().splitlines()
        assert json.loads(line)["account"] == "17"
    async with opened(Urls()):
        pass
