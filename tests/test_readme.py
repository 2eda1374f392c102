"""README.md is short, in its order, and its tables and those of the guide say what the code says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowreaper.cli.exit_status import MEANINGS
from flowreaper.client.meanings import BY_CODE, BY_STATE, Meaning

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDE = (ROOT / ".github" / "GUIDE.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "tests" / "benchmarks" / "README.md").read_text(encoding="utf-8")

MOST_BYTES = 9000
ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
FIRST_TRY = (
    "python3 -m venv .venv && .venv/bin/pip install . &&"
    " .venv/bin/flowreaper delete --sandbox --yes examples/flows.txt"
)
TESTS = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest"


def section(text: str, heading: str) -> str:
    """Return what stands between a heading of level 2 and the next one."""
    _, found, after = text.partition(f"\n## {heading}\n")
    assert found, heading
    return after.partition("\n## ")[0]


def rows(text: str, first: str) -> Iterator[list[str]]:
    """Yield the cells of each row, without backticks, of the table whose head begins with this cell."""
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if inside and not set(cells[0]) <= set("-"):
            yield cells
        inside = inside or cells[0] == first


def test_readme_is_short() -> None:
    assert len(README.encode()) <= MOST_BYTES


def test_readme_has_its_order() -> None:
    assert re.findall(r"^## (.*)$", README, re.MULTILINE) == [
        "Install",
        "List, delete, verify",
        "Exit status",
        "Environment",
        "Pace",
        "Troubleshooting",
        "Library",
        "Security",
        "Links",
    ]


def test_readme_has_the_command_to_try_it_and_the_one_that_ci_runs() -> None:
    assert FIRST_TRY in section(README, "Install")
    assert TESTS in section(README, "Install")
    ci = (ROOT / ".ci" / "run").read_text()
    assert all(part in TESTS for part in ("-m venv", "install -e '.[dev]'", "/pytest"))
    assert '-m venv "' in ci
    assert re.search(r"/pip\" install .*-e '\.\[dev\]'$", ci, re.MULTILINE)
    assert re.search(r'^ *"\$bin/pytest"$', ci, re.MULTILINE)


def test_the_exit_statuses_of_readme_are_those_of_the_command() -> None:
    found = {int(status): meaning for status, meaning in rows(README, "status")}
    assert found == {int(status): meaning for status, meaning in MEANINGS.items()}


def test_readme_says_of_each_code_what_it_means_and_what_to_do() -> None:
    found = {
        code: Meaning(meaning, remedy)
        for codes, meaning, remedy in rows(README, "code")
        for code in codes.split(", ")
    }
    assert found == BY_CODE


def test_the_guide_says_of_each_state_what_it_means_and_what_to_do() -> None:
    assert {state: Meaning(*cells) for state, *cells in rows(GUIDE, "state")} == BY_STATE


def test_the_guide_says_what_each_deployment_does_at_every_exit_status() -> None:
    found = [
        int(status) for cells in rows(section(GUIDE, "Unattended"), "") for status in cells[0].split(", ")
    ]
    assert sorted(found) == sorted(MEANINGS)


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ("Measured: {:.2f} calls a second", "pace, not counted: goodput"),
        ("; {:.2f} where the service counts a sliding second", "pace, sliding second, 50 ms jitter: goodput"),
        ("never {:.0f} in one", "pace, not counted: most calls to leave in any second"),
        ("{:.2f} ms of CPU a deletion", "CPU a deletion, http"),
        ("{:.0f} MB for a million ids", "1,000,000 ids: peak memory"),
    ],
)
def test_the_figures_of_readme_are_those_that_were_measured(words: str, figure: str) -> None:
    (cells,) = (cells for cells in rows(BENCHMARKS, "figure") if cells[0] == figure)
    measured = float(cells[1].split()[0]) + ("never" in words)
    assert words.format(measured) in " ".join(README.split())


@pytest.mark.parametrize("text", [README, GUIDE], ids=["README", "guide"])
def test_every_link_to_a_heading_finds_it(text: str) -> None:
    for path, anchor in ANCHOR.findall(text):
        target = (ROOT / path).read_text(encoding="utf-8") if path else text
        headings = re.findall(r"^#+ (.*)$", target, re.MULTILINE)
        assert anchor in {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings}, anchor
