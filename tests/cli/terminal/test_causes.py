"""Causes as a person reads them; their commands: tests/cli/test_cause_commands.py, whole lines: test_summary.py."""

from pathlib import Path

import pytest

from flowreaper.cli.terminal.causes import describe_causes, shown_flow, state_words
from flowreaper.model import Cause, Flow, State


def test_a_sample_that_is_not_all_says_so() -> None:
    for flows, line in ((1, "  Flows:  7"), (2, "  Flows:  7, ...")):
        assert line in describe_causes([Cause(State.REFUSED, "X", flows, (Flow("7"),))], Path("c"), "")


def test_foreign_text_cannot_steer_the_terminal() -> None:
    cause = Cause(State.REFUSED, "X\x1b[2J" + "y" * 200, 2, (Flow("\u202e7", "\x07"), Flow("8" * 200)))
    lines = describe_causes([cause], Path("c\n"), "flowreaper delete -c x")
    assert all(line.isprintable() for line in lines)
    assert len(lines[0]) < 250


@pytest.mark.parametrize(
    ("flow", "text"), [(Flow("7"), "7"), (Flow("7", "cams-a"), "cams-a/7"), (Flow("\n"), r"\x0a")]
)
def test_a_flow_is_shown_with_its_space(flow: Flow, text: str) -> None:
    assert shown_flow(flow) == text


def test_states_are_written_in_words() -> None:
    assert [state_words(state) for state in (State.GAVE_UP, State.REFUSED)] == ["given up", "refused"]
