"""Listed flows as text: nothing in a flow can forge a line, start a formula or steer a terminal."""

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.cli.flow_formats import Columns, FlowFormat, FlowRow, FlowWriter, header, line
from flowreaper.escaping import printable
from flowreaper.model import Entry, Flow, InvalidEntry
from flowreaper.producer.flow_ids import why_invalid, why_invalid_space
from flowreaper.producer.formats import Format, InputSettings, parse_entries

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ids = st.one_of(texts, st.from_regex(r"[0-9]{7,18}", fullmatch=True))
rows = st.builds(
    FlowRow, st.builds(Flow, ids, texts), texts, st.lists(texts, max_size=2).map(tuple), texts, texts, texts
)
columns = st.builds(Columns, st.booleans(), st.booleans(), st.booleans(), st.booleans())
AS_INPUT = {FlowFormat.CSV: Format.CSV, FlowFormat.JSONL: Format.JSONL, FlowFormat.IDS: Format.TEXT}

HOSTILE = FlowRow(Flow("926000000000000001"), "=cmd|' /C calc'!A0\x1b[2J\n926000000000000009,x", ("OTHER",))


def written(flow_format: FlowFormat, *rows: FlowRow, columns: Columns = Columns()) -> str:  # noqa: B008 -- an immutable value
    parts: list[bytes] = []
    writer = FlowWriter(parts.append, flow_format, columns)
    for row in rows:
        writer.write(row)
    return b"".join(parts).decode()


@settings(deadline=None)
@given(rows, columns, st.sampled_from(FlowFormat))
def test_a_flow_is_one_line_that_steers_nothing(
    row: FlowRow, columns: Columns, flow_format: FlowFormat
) -> None:
    text = line(flow_format, row, columns)
    assert text.endswith("\n")
    assert printable(text[:-1], len(text)) == text[:-1]


@settings(deadline=None)
@given(st.lists(rows, max_size=4), columns, st.sampled_from([*AS_INPUT]))
def test_what_is_written_is_read_as_these_very_flows_or_as_invalid(
    rows: list[FlowRow], columns: Columns, flow_format: FlowFormat
) -> None:
    text = written(flow_format, *rows, columns=columns)
    settings = InputSettings(AS_INPUT[flow_format])
    entries = list(parse_entries([text.encode()] if text else [], source="-", settings=settings))
    with_space = flow_format is not FlowFormat.IDS
    meant = {row.flow if with_space else Flow(row.flow.flow_id) for row in rows}
    assert {entry.flow for entry in entries if isinstance(entry, Entry)} <= meant
    for row in rows:
        space = row.flow.cust_space_id
        if not why_invalid(row.flow.flow_id) and not (with_space and space and why_invalid_space(space)):
            assert (row.flow if with_space else Flow(row.flow.flow_id)) in {
                entry.flow for entry in entries if isinstance(entry, Entry)
            }


def test_the_order_of_columns_is_the_one_of_the_header() -> None:
    text = written(
        FlowFormat.CSV,
        FlowRow(Flow("1", "cams-a"), "promo", ("A", "B"), "DRAFT", "name p*", "deleted"),
        columns=Columns(status=True, rule=True, state=True),
    )
    assert next(csv.DictReader(io.StringIO(text))) == {
        "FlowId": "1",
        "CustSpaceId": "cams-a",
        "FlowName": "promo",
        "Categories": "A;B",
        "Status": "DRAFT",
        "Rule": "name p*",
        "State": "deleted",
    }


def test_json_lines_keep_every_character_of_a_name() -> None:
    text = written(FlowFormat.JSONL, HOSTILE)
    assert text.isascii()
    assert json.loads(text)["FlowName"] == HOSTILE.name


def test_a_hostile_name_is_text_in_a_spreadsheet() -> None:
    (_, row) = csv.reader(io.StringIO(written(FlowFormat.CSV, HOSTILE)))
    assert row[2].startswith("'=cmd")


def test_a_table_has_the_columns_that_are_asked_for_under_their_titles() -> None:
    row = FlowRow(Flow("926000000000000001"), "promo", ("OTHER",), "DRAFT")
    plain = written(FlowFormat.TABLE, row).splitlines()
    assert [text.split() for text in plain] == [
        ["FLOW", "ID", "CATEGORIES", "NAME"],
        ["926000000000000001", "OTHER", "promo"],
    ]
    full = written(FlowFormat.TABLE, row, columns=Columns(space=True, status=True)).splitlines()
    assert full[1].split() == ["926000000000000001", "-", "DRAFT", "OTHER", "promo"]
    for title, cell in (("SPACE", "-"), ("STATUS", "DRAFT"), ("NAME", "promo")):
        assert full[0].index(title) == full[1].index(cell, 20 if cell == "-" else 0)


def test_the_header_comes_once_and_only_with_a_flow() -> None:
    row = FlowRow(Flow("1"), "", ())
    assert written(FlowFormat.CSV) == ""
    assert written(FlowFormat.CSV, row, row).count("FlowId") == 1


@pytest.mark.parametrize("flow_format", [FlowFormat.IDS, FlowFormat.JSONL])
def test_lines_that_need_no_header_have_none(flow_format: FlowFormat) -> None:
    assert header(flow_format, Columns()) == ""


def test_an_id_that_is_none_is_read_as_invalid() -> None:
    text = written(FlowFormat.IDS, FlowRow(Flow("1\n2"), "", ()))
    (entry,) = parse_entries([text.encode()], source="-", settings=InputSettings(Format.TEXT))
    assert isinstance(entry, InvalidEntry)
