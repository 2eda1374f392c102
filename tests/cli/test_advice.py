"""The core names no flag and no command; the command adds them to what it shows."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli import _COMMANDS
from flowreaper.cli.advice import shown
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import Advice, CheckpointError, ConfigurationError, InputError
from flowreaper.job.settings import Settings

PACKAGE = Path(__file__).parents[2] / "flowreaper"
CORE = sorted(
    path.relative_to(PACKAGE)
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] not in ("cli", "sandbox", "__main__.py")
)
OF_THE_COMMAND_LINE = re.compile(
    r"(?<![\w-])--[a-z]|\bflowreaper (delete|results|status|verify)\b|(with |\()-c\b"
)
ENDPOINT = parse_endpoint("https://cams.example")


def texts_of(module: Path) -> Iterator[str]:
    """Yield a module's string constants, without docstrings."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value


@pytest.mark.parametrize("module", CORE, ids=str)
def test_the_core_speaks_no_command_line(module: Path) -> None:
    assert [text for text in texts_of(module) if OF_THE_COMMAND_LINE.search(text)] == []


@pytest.mark.parametrize("advice", Advice)
def test_every_advice_names_what_can_be_typed(advice: Advice) -> None:
    text = shown(InputError("it is wrong", advice))
    assert text.startswith("it is wrong. ")
    assert OF_THE_COMMAND_LINE.search(text)
    options = {
        option
        for name in _COMMANDS
        for parameter in import_module(f"flowreaper.cli.commands.{name}").command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"--[a-z-]+|(?<=\s)-c\b", text)) <= options


def test_a_message_that_ends_with_a_full_stop_gets_no_second_one() -> None:
    text = shown(CheckpointError("The disk is full.", Advice.OTHER_CHECKPOINT))
    assert text == "The disk is full. Name another checkpoint with -c"


def test_an_error_without_advice_is_shown_as_it_is() -> None:
    assert shown(CheckpointError("the disk is full")) == "the disk is full"
    assert shown(ValueError("a defect")) == "a defect"


@pytest.mark.parametrize(
    ("setting", "flag"),
    [
        ("rate", "--rate"),
        ("concurrency", "--concurrency"),
        ("timeout_s", "--timeout"),
        ("max_attempts", "--max-attempts"),
        ("outage_limit_s", "--outage-limit"),
        ("max_refusals", "--max-consecutive-refusals"),
        ("max_absent", "--max-consecutive-absent"),
        ("limit", "--limit"),
    ],
)
def test_a_setting_is_shown_as_its_flag(setting: str, flag: str) -> None:
    given: dict[str, Any] = {setting: -1}
    with pytest.raises(ConfigurationError, match=rf"^{setting} must be ") as caught:
        Settings(endpoint=ENDPOINT, **given)
    assert shown(caught.value).startswith(f"{flag} must be ")
