"""The job as a function: what a flow may be given as, and what its iterable may do."""

import asyncio
import logging
import math
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from flowreaper import Flow, Record, Settings, State, Summary, delete_flows, parse_endpoint, read_records
from flowreaper.errors import ConfigurationError
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from flowreaper.store.sqlite.file_guard import has_run

CHECKPOINT = "job.ckpt"


class Digits:
    """An integer of another library's: no int, but it has an index."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value


class Liar:
    def __index__(self) -> int:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


async def delete(folder: Path, flows: Any, **how: Any) -> Summary:
    async with Sandbox(SandboxOptions(window="none")) as sandbox:
        return await delete_at(sandbox, folder, flows, sandbox=True, **how)


async def delete_at(
    server: Sandbox, folder: Path, flows: Any, *, sandbox: bool = False, limit: int | None = None, **how: Any
) -> Summary:
    return await delete_flows(
        flows,
        checkpoint=folder / CHECKPOINT,
        settings=Settings(endpoint=parse_endpoint(server.url), sandbox=sandbox, rate=500.0, limit=limit),
        credentials=CREDENTIALS,
        **how,
    )


def records(folder: Path) -> list[Record]:
    return list(read_records(folder / CHECKPOINT))


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.mark.parametrize(
    "flows",
    ["926000000000007919", b"926", bytearray(b"926"), memoryview(b"926"), Flow("926", "cams-x"), 926],
)
async def test_what_is_no_collection_of_flows_is_a_type_error_before_anything(
    tmp_path: Path, flows: object
) -> None:
    with pytest.raises(TypeError, match=rf"{type(flows).__name__}\b"):
        await delete(tmp_path, flows)
    assert files(tmp_path) == []


async def test_a_flow_is_its_id_as_text_or_number_or_a_pair_with_its_space(tmp_path: Path) -> None:
    flows = ["1", 926000000000007919, Digits(3), Flow("4"), Flow("5", "cams-a"), ("6", "cams-b"), " 7\n"]
    summary = await delete(tmp_path, iter(flows))
    assert summary.counts == {State.DELETED: 7}
    assert {(record.flow_id, record.cust_space_id) for record in records(tmp_path)} == {
        ("1", None),
        ("926000000000007919", None),
        ("3", None),
        ("4", None),
        ("5", "cams-a"),
        ("6", "cams-b"),
        ("7", None),
    }


@pytest.mark.parametrize(
    ("item", "text", "reason"),
    [
        (None, "None", "a str or an int, not a value of type NoneType"),
        (math.nan, "nan", "not a value of type float"),
        (926.0, "926.0", "not a value of type float"),
        (True, "True", "not a value of type bool"),
        (b"926", "b'926'", "not a value of type bytes"),
        (["1", "cams-a"], "['1', 'cams-a']", "not a value of type list"),
        (("1",), "('1',)", "a tuple is a flow id and a space"),
        (("1", "2", "3"), "('1', '2', '3')", "a tuple is a flow id and a space"),
        ((926, "cams-a"), "(926, 'cams-a')", "a tuple is a flow id and a space"),
        (("1", None), "('1', None)", "a tuple is a flow id and a space"),
        ("null", "null", "has no digit in it"),
        (-5, "-5", "begins with -"),
        (10**300, "1" + "0" * 199, "has 301 characters"),
        pytest.param(10**5000, "<int object at", "no digits", id="over 4300 digits"),
        (Liar(), "Liar object at", "no digits"),
        ({"\x1b": 1}, "{'\\x1b': 1}", "not a value of type dict"),
        (("1", "null"), "1 in space null", "the space stands for no value"),
    ],
)
async def test_what_is_no_flow_is_an_outcome_that_says_why_and_the_rest_goes_on(
    tmp_path: Path, item: object, text: str, reason: str
) -> None:
    summary = await delete(tmp_path, [item, "9"])
    assert summary.counts == {State.DELETED: 1, State.INVALID: 1}
    (bad,) = (record for record in records(tmp_path) if record.state is State.INVALID)
    assert text in bad.flow_id
    assert bad.message
    assert reason in bad.message
    assert bad.line == 1
    assert bad.attempts == 0


async def test_a_pattern_lets_other_ids_be_called(tmp_path: Path) -> None:
    summary = await delete(tmp_path, ["a/b", "9"], id_pattern="./.")
    assert summary.counts == {State.DELETED: 1, State.INVALID: 1}
    with pytest.raises(ConfigurationError, match=re.escape("the id pattern [ is no regular")):
        await delete(tmp_path / "other", ["a/b"], id_pattern="[")


@pytest.mark.parametrize(
    "error", [ValueError("from the database"), ConfigurationError("of flowreaper's own")]
)
@pytest.mark.parametrize("before", [0, 3, 2500])
async def test_what_the_iterable_raises_reaches_the_caller_when_all_that_was_read_is_recorded(
    tmp_path: Path, error: Exception, before: int
) -> None:
    def flows() -> Iterator[int]:
        yield from range(1, before + 1)
        raise error

    with pytest.raises(type(error)) as caught:
        await delete(tmp_path, flows())
    assert caught.value is error
    assert not has_run(tmp_path / CHECKPOINT)
    found = records(tmp_path)
    assert sorted(int(record.flow_id) for record in found) == list(range(1, before + 1))
    assert all(record.state in (State.PENDING, State.DELETED) for record in found)
    if before == 2500:  # five seconds of calls: they are left for the next run
        assert any(record.state is State.PENDING for record in found)
    if before == 3:
        summary = await delete(tmp_path, [1, 2, 3])
        assert summary.counts == {State.DELETED: before}


async def test_without_flows_everything_unfinished_is_called_and_with_flows_only_these(
    tmp_path: Path,
) -> None:
    async with Sandbox(SandboxOptions(window="none")) as server:
        first = await delete_at(server, tmp_path, ["1", "2", "3", "4", "5"], limit=1)
        assert first.unfinished == 4
        second = await delete_at(server, tmp_path, ["5", "6"])
        assert second.this_run == {State.DELETED: 2}
        assert second.unlisted == 3
        third = await delete_at(server, tmp_path, None)
        assert third.counts == {State.DELETED: 6}
        assert third.this_run == {State.DELETED: 3}


async def test_without_flows_there_must_be_a_checkpoint_and_no_rehearsal(tmp_path: Path) -> None:
    async with Sandbox(SandboxOptions(window="none")) as server:
        with pytest.raises(ConfigurationError, match=r"there is no checkpoint .*job\.ckpt to resume"):
            await delete_at(server, tmp_path, None)
        assert files(tmp_path) == []
        await delete_at(server, tmp_path, ["1"], sandbox=True)
        with pytest.raises(ConfigurationError, match="a rehearsal begins with an empty checkpoint"):
            await delete_at(server, tmp_path, None, sandbox=True)
    assert [record.state for record in records(tmp_path)] == [State.DELETED]


async def test_flows_may_come_from_an_async_iterable(tmp_path: Path) -> None:
    async def flows() -> AsyncIterator[object]:
        for item in ("1", 2, ("3", "cams-a"), None):
            await asyncio.sleep(0)
            yield item

    summary = await delete(tmp_path, flows())
    assert summary.counts == {State.DELETED: 3, State.INVALID: 1}
    assert {(record.flow_id, record.line) for record in records(tmp_path)} == {
        ("1", 1),
        ("2", 2),
        ("3", 3),
        ("None", 4),
    }


async def test_flows_of_a_slow_async_iterable_are_called_before_it_ends(tmp_path: Path) -> None:
    class Shown:
        def __init__(self) -> None:
            self.first = asyncio.Event()

        def put(self, record: Record) -> None:  # noqa: ARG002 -- the Protocol's signature
            self.first.set()

    shown = Shown()

    async def flows() -> AsyncIterator[str]:
        yield "1"
        await shown.first.wait()
        yield "2"

    summary = await delete(tmp_path, flows(), streams=[shown])
    assert summary.counts == {State.DELETED: 2}


@pytest.mark.parametrize("error", [ValueError("from the database"), ConfigurationError("of its own")])
async def test_what_an_async_iterable_raises_reaches_the_caller(tmp_path: Path, error: Exception) -> None:
    async def flows() -> AsyncIterator[str]:
        yield "1"
        raise error

    with pytest.raises(type(error)) as caught:
        await delete(tmp_path, flows())
    assert caught.value is error
    assert [record.flow_id for record in records(tmp_path)] == ["1"]


def standard_log() -> logging.Logger:
    log = logging.getLogger("tests.api")
    log.setLevel(logging.DEBUG)
    return log


async def test_a_logger_of_the_standard_library_gets_the_events(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await delete(tmp_path, ["1"], log=standard_log())
    (answered,) = [r for r in caplog.records if vars(r).get("event") == "call.answered"]
    assert answered.levelname == "DEBUG"
    assert "flow_id='1'" in answered.getMessage()


async def test_a_structlog_logger_gets_the_events(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as events:
        await delete(tmp_path, ["1"], log=structlog.get_logger())
    (answered,) = [event for event in events if event["event"] == "call.answered"]
    assert answered["flow_id"] == "1"
