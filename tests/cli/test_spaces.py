"""Spaces as text: nothing in a name can forge a line, start a formula or steer a terminal."""

import csv
import io
import json

import pytest

from flowreaper.cli.commands.spaces import SpaceFormat, _text
from flowreaper.client.actions import Space

HOSTILE = [
    Space("cams-\x1b[2J", "=cmd()\n\u202ename", "NORMAL\x07", "i-1"),
    Space("cams-b", "Süd, Wien", "NORMAL"),
]


@pytest.mark.parametrize("shape", SpaceFormat)
def test_a_space_is_one_line_that_steers_nothing(shape: SpaceFormat) -> None:
    text = _text(HOSTILE, shape)
    assert len(text.splitlines()) == 2 + (shape is not SpaceFormat.JSONL)
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_programs_get_the_names_of_the_service() -> None:
    rows = list(csv.DictReader(io.StringIO(_text(HOSTILE, SpaceFormat.CSV))))
    assert rows[1] == {"CustSpaceId": "cams-b", "InstanceName": "Süd, Wien", "State": "NORMAL"}
    assert rows[0]["InstanceName"].startswith("'=cmd")
    assert json.loads(_text(HOSTILE, SpaceFormat.JSONL).splitlines()[0])["InstanceName"] == HOSTILE[0].name


@pytest.mark.parametrize("shape", [SpaceFormat.TABLE, SpaceFormat.JSONL])
def test_without_spaces_there_is_nothing_to_show(shape: SpaceFormat) -> None:
    assert _text([], shape) == ""
