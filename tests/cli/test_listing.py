"""How a list that takes long shows that it lives."""

import asyncio
import io

import pytest

from flowreaper.cli.flow_formats import FlowFormat
from flowreaper.cli.listing import ListCommand, ListRequest
from flowreaper.cli.terminal.screen import Screen
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.job.flow_rules import FlowRules
from flowreaper.job.settings import Settings
from tests.virtual import run_virtual

REQUEST = ListRequest(
    rules=FlowRules(),
    spaces=("",),
    flow_format=FlowFormat.IDS,
    verbose=False,
    filters=(),
    plan=None,
    plan_expires_s=1.0,
    replace_plan=False,
)


class Terminal(io.StringIO):
    """Standard error that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(stderr: io.StringIO, seconds: float, *, has_status_line: bool) -> str:
    settings = Settings(endpoint=parse_endpoint("http://127.0.0.1:1"))
    listing = ListCommand(settings, {}, REQUEST, Screen(stderr), has_status_line=has_status_line)

    async def run() -> None:
        async with listing._progress():
            await asyncio.sleep(seconds)

    run_virtual(run())
    return stderr.getvalue()


@pytest.mark.parametrize(("seconds", "lines"), [(4.5, 0), (5.5, 1), (64.5, 1), (65.5, 2), (150.0, 3)])
def test_a_log_gets_a_line_soon_and_then_a_line_a_minute(seconds: float, lines: int) -> None:
    written = shown(io.StringIO(), seconds, has_status_line=False).splitlines()
    assert len(written) == lines
    assert all(line.endswith("asking the service, 0 seen, 0 selected") for line in written)


def test_a_status_line_is_erased_in_the_end() -> None:
    text = shown(Terminal(), 1, has_status_line=True)
    assert "\rasking the service" in text
    assert text.endswith("\r\x1b[J")
    assert "\n" not in text
