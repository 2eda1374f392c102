"""Ids, codes and messages are data: whoever wrote them steers no terminal, forges no line, starts no formula."""

import asyncio
import contextlib
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Callable

import pytest

from flowreaper.sandbox import CREDENTIALS
from tests.end_to_end.command import Command
from tests.end_to_end.terminal import Terminal

Ids = Callable[[int], list[str]]

STEERS = "\x1b]0;owned\x07\x1b[2J\u202e\u2028\x9b31m"
FORGED = '\r\nStopped: forged\n{"event": "forged"}\n'
FORMULA = "=HYPERLINK(0)"
CODE = f"{FORMULA}{STEERS}{FORGED}"
MESSAGE = f"@SUM(1){STEERS}{FORGED}"
ANSWERS = {
    "=1+1": (400, MESSAGE),
    "926100000000000001": (400, MESSAGE + "long " * 2_000),
    "926100000000000002": (400, "x" * 1_000_000),
}
INVALID = (f"-1 {STEERS}", "+2\u202e", "\x1b[31mred")
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")
_EXPECTED = r"\x1b\[(?:\d+(?:;\d+)*)?[mJ]"  # colours, and the status line's own erasing


@contextlib.asynccontextmanager
async def hostile_service() -> AsyncIterator[str]:
    """Serve the answers above, whole and with whatever they hold; yield the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            flow = next(
                flow for flow in ANSWERS if flow.replace("=", "%3D").replace("+", "%2B").encode() in request
            )
            status, message = ANSWERS[flow]
            body = json.dumps({"Code": CODE, "Message": message, "RequestId": STEERS}).encode()
            writer.write(
                f"HTTP/1.1 {status} \x1b[2J\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def command(bare: Command) -> AsyncIterator[Command]:
    bare.write("flows.txt", *ANSWERS, *INVALID)
    async with hostile_service() as url:
        yield Command(
            bare.folder,
            bare.environment
            | {
                "FLOWREAPER_ENDPOINT": url,
                "FLOWREAPER_DELETE_NO_IDENTITY": "1",
                "ALIBABA_CLOUD_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CREDENTIALS.access_key_secret,
            },
        )


# The pattern lets a formula be an id.
ARGUMENTS = (
    "delete",
    "-y",
    "--id-pattern",
    "[=+0-9]+",
    "--rate",
    "50",
    "--max-attempts",
    "1",
    "--log-level",
    "debug",
    "flows.txt",
)


def assert_harmless(shown: str) -> None:
    rest = re.sub(_EXPECTED, "", shown)
    assert "\x1b" not in rest
    assert not CONTROLS.search(rest)
    assert not re.search(r"^\W*(Stopped: forged|\{\"event\": \"forged)", rest, re.MULTILINE)


async def test_nothing_raw_reaches_the_terminal(command: Command) -> None:
    def run() -> tuple[int, str]:
        with Terminal(command, *ARGUMENTS) as terminal:
            return terminal.wait(), terminal.shown

    status, shown = await asyncio.to_thread(run)
    assert status == 1
    assert "\\x1b]0;owned" in shown
    assert_harmless(shown)


async def test_no_line_of_the_log_can_be_forged(command: Command) -> None:
    finished = await asyncio.to_thread(command.run, *ARGUMENTS[:-1], "--log-format", "json", ARGUMENTS[-1])
    assert finished.status == 1
    assert finished.told == []
    events = [event["event"] for event in finished.events]
    assert "forged" not in events
    assert events.count("flow.refused") == 2
    assert finished.err.isascii()


async def test_what_is_recorded_says_what_was_cut_and_starts_no_formula(command: Command) -> None:
    finished = await asyncio.to_thread(command.run, *ARGUMENTS)
    assert_harmless(finished.err)
    records = command.results("flows.txt.ckpt")
    short, long, huge = (records[flow] for flow in ANSWERS)
    assert (short["state"], short["code"], short["message"]) == ("refused", CODE, MESSAGE)
    assert (long["state"], len(long["message"])) == ("refused", 2000 + len(" [cut]"))
    assert long["message"].endswith(" [cut]")
    assert huge["state"] == "gave_up"
    assert huge["message"].startswith("the answer was cut short: ")
    assert huge["message"].endswith("x' [cut]")
    assert sum(record["state"] == "invalid" for record in records.values()) == len(INVALID)
    shown = await asyncio.to_thread(command.run, "results", "--format", "csv", "flows.txt.ckpt")
    rows = list(csv.reader(io.StringIO(shown.out)))
    assert len(rows) == 1 + len(ANSWERS) + len(INVALID)
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r\n"))]
    assert any(cell.startswith(f"'{FORMULA}") for row in rows for cell in row)
    for arguments in (("results",), ("results", "--format", "csv"), ("status",), ("status", "--json")):
        shown = await asyncio.to_thread(command.run, *arguments, "flows.txt.ckpt")
        assert shown.status == 0
        assert_harmless(shown.out + shown.err)
