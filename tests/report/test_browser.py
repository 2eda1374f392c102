"""The page in a real browser: it asks for nothing, says nothing to the console, and its plot has a size."""

from pathlib import Path
from urllib.parse import quote

import pytest

from flowreaper.model import Flow, State
from flowreaper.report.page import render
from flowreaper.report.result_list import Kind
from tests.report.browser import CHROMIUM, browser
from tests.report.samples import BEGIN_MS, COMMANDS, CONFIRMED, HOUR_MS, minutes_of, report, run

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")

SIZE = "(box => [box.width, box.height])(document.querySelector('svg.{}').getBoundingClientRect())"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "[...document.querySelectorAll('svg.plot path.line')].map(line => line.getBoundingClientRect().width)"
PICTURE = "<img src='http://127.0.0.1:9/picture'>"
GROUND = "getComputedStyle(document.body).backgroundColor"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The page of a job of two runs with a night between them, with a code that would like to be markup."""
    runs = (
        run(1, BEGIN_MS, 5 * HOUR_MS),
        run(2, BEGIN_MS + 19 * HOUR_MS, 3 * HOUR_MS, ending=None, ended_at_ms=None),
    )
    minutes = tuple(minute for past in runs for minute in minutes_of(past))
    hostile = Kind(
        State.REFUSED, "<img src=http://127.0.0.1:9/x onerror=alert(1)>", inferred=False, in_doubt=False
    )
    samples = {hostile: (Flow("<script>alert(1)</script>"),)}
    path = tmp_path / "report.html"
    write(path, render(report(runs, minutes, {CONFIRMED: 9000, hostile: 2}, samples), COMMANDS))
    return path


async def test_the_page_asks_for_nothing_says_nothing_and_has_its_plot_at_any_width(
    tmp_path: Path, page: Path
) -> None:
    async with browser(tmp_path / "profile") as shown:
        for width, visible, hidden in ((1200, "wide", "narrow"), (390, "narrow", "wide")):
            await shown.call(
                "Emulation.setDeviceMetricsOverride",
                width=width,
                height=800,
                deviceScaleFactor=1,
                mobile=width < 500,
            )
            await shown.open(page.as_uri())
            plot_width, plot_height = await shown.value(SIZE.format(visible))
            assert 0.85 * width < plot_width + 32 <= max(width, 1100)
            assert plot_height > 250
            assert await shown.value(SIZE.format(hidden)) == [0, 0]
            assert max(await shown.value(SHOWN)) > 40
            assert await shown.value(TOO_WIDE) == 0
        assert set(shown.requests) == {page.as_uri()}
        assert shown.said == []


async def test_the_page_is_dark_where_that_is_preferred_and_readable_without_its_style(
    tmp_path: Path, page: Path
) -> None:
    bare = tmp_path / "bare.html"
    text = read(page)
    write(bare, text[: text.index("<style>")] + text[text.index("</style>") :].removeprefix("</style>"))
    async with browser(tmp_path / "profile") as shown:
        grounds = []
        for scheme in ("light", "dark"):
            await shown.call(
                "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
            )
            await shown.open(page.as_uri())
            grounds.append(await shown.value(GROUND))
        assert grounds == ["rgb(255, 255, 255)", "rgb(15, 20, 25)"]
        await shown.open(bare.as_uri())
        assert await shown.value(SIZE.format("wide")) == [900, 348]
        assert await shown.value(SIZE.format("narrow")) == [0, 0]
        assert shown.said == []


async def test_what_the_other_tests_look_for_would_be_noticed(tmp_path: Path, page: Path) -> None:
    spoilt = tmp_path / "spoilt.html"
    write(spoilt, read(page).replace("<h1", f"{PICTURE}<script>x</script><h1", 1))
    async with browser(tmp_path / "profile") as shown:
        await shown.open(f"data:text/html,{quote(PICTURE)}")
        assert "http://127.0.0.1:9/picture" in shown.requests
        shown.said.clear()
        await shown.open(spoilt.as_uri())
        assert len(shown.said) == 2  # the page's policy lets neither through
        assert all("Content Security Policy" in said for said in shown.said)
