"""Outcomes as text."""

import csv
import io
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowreaper.model import Entry, Record, State
from flowreaper.producer.flow_ids import why_invalid, why_invalid_space
from flowreaper.producer.formats import InputSettings, parse_entries
from flowreaper.sink.formats import (
    RecordFormat,
    csv_line,
    header_for,
    json_line,
    spreadsheet_line,
    writer_for,
)
from tests.samples import AT

RECORD = Record(
    "7",
    "cams-a",
    State.REFUSED,
    inferred=False,
    in_doubt=True,
    attempts=3,
    http_status=400,
    code="Some.Code",
    message="no",
    request_id="RID-2",
    source="ids.txt",
    line=7,
    finished_at=AT,
)

text = st.text(st.characters(exclude_categories=()) | st.sampled_from("\n\r\x1b\u2028\"',=+-@\t\\"))
number = st.integers(0, 2**63)
records = st.builds(
    Record,
    text,
    st.none() | text,
    st.sampled_from(State),
    st.booleans(),
    st.booleans(),
    number,
    st.none() | number,
    *[st.none() | text] * 4,
    st.none() | number,
    st.none() | text,
)


# Plain CSV makes these ids text with an apostrophe.
LIKE_A_FORMULA = Record(
    flow_id="-",
    cust_space_id="-1",
    state=State.PENDING,
    inferred=False,
    in_doubt=False,
    attempts=0,
    http_status=None,
    code=None,
    message=None,
    request_id=None,
    source=None,
    line=None,
    finished_at=None,
)
TEXT_FORMULA = re.compile(r'="[0-9A-Za-z_.:-]+"')
flow_ids = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,30}", fullmatch=True).filter(
    lambda t: not why_invalid(t)
)
spaces = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_-]{0,30}", fullmatch=True).filter(
    lambda t: not why_invalid_space(t)
)


def test_a_json_line_has_the_fields_of_a_record_in_their_order() -> None:
    assert json_line(RECORD) == (
        '{"flow_id": "7", "cust_space_id": "cams-a", "state": "refused", "inferred": false, "in_doubt": true,'
        ' "attempts": 3, "http_status": 400, "code": "Some.Code", "message": "no", "request_id": "RID-2",'
        ' "source": "ids.txt", "line": 7, "finished_at": "2023-11-14T22:13:20.123Z"}\n'
    )


@given(records)
def test_any_record_is_one_line_of_printable_ascii_in_json_and_comes_back_whole(record: Record) -> None:
    line = json_line(record)
    assert line.isascii()
    assert line[-1] == "\n"
    assert line[:-1].isprintable()
    assert Record(**json.loads(line)) == record


@given(records)
def test_any_record_is_one_printable_row_in_csv_that_starts_no_formula(record: Record) -> None:
    line = csv_line(record)
    line.encode()
    assert line[-1] == "\n"
    assert all(c == " " or c.isprintable() or c.isspace() for c in line[:-1])
    assert not set(line[:-1]) & set("\n\r\t\x1b\u2028")
    (row,) = csv.reader(io.StringIO(line))
    assert len(row) == len(Record._fields)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def _plain(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    return "" if cell is None else str(cell)


@given(records)
def test_a_csv_cell_that_is_harmless_is_unchanged(record: Record) -> None:
    (row,) = csv.reader(io.StringIO(csv_line(record)))
    for cell, field in zip(row, map(_plain, record), strict=True):
        if field.isascii() and field.isprintable() and not field.startswith(("=", "+", "-", "@")):
            assert cell == field


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\uff1d"])
def test_a_formula_in_csv_is_defused(start: str) -> None:
    row = csv_line(RECORD._replace(flow_id=f"{start}1", message=f'{start}HYPERLINK("x")'))
    assert row.startswith(f"'{start}1,")
    assert f",\"'{start}HYPERLINK(" in row


@given(records)
@example(LIKE_A_FORMULA)
def test_a_spreadsheet_gets_no_formula_but_the_text_of_an_id_or_a_space(record: Record) -> None:
    line = spreadsheet_line(record)
    assert not set(line[:-1]) & set("\n\r\t\x1b\u2028")
    (row,) = csv.reader(io.StringIO(line))
    (plain,) = csv.reader(io.StringIO(csv_line(record)))
    assert row[2:] == plain[2:]
    texts = (record.flow_id, record.cust_space_id or "")
    for cell, same, text in zip(row[:2], plain[:2], texts, strict=True):
        assert cell == same or (cell == f'="{text}"' and TEXT_FORMULA.fullmatch(cell))


@given(st.lists(st.tuples(flow_ids, st.none() | spaces), min_size=1, unique=True))
@example([("926000000000007919", None)])
@example([("007", "0123")])
def test_delete_reads_back_each_flow_of_a_spreadsheet_with_its_space(flows: list[tuple[str, str]]) -> None:
    text = header_for(RecordFormat.SPREADSHEET) + "".join(
        spreadsheet_line(RECORD._replace(flow_id=flow_id, cust_space_id=space)) for flow_id, space in flows
    )
    read = list(parse_entries([text.encode()], source="-", settings=InputSettings()))
    assert [tuple(entry.flow) for entry in read if isinstance(entry, Entry)] == [
        (flow_id, space or "") for flow_id, space in flows
    ]


@pytest.mark.parametrize("text", ['1"&A1&"1', "1+1", "two words", "1;2", "é1", "1\n2"])
def test_what_is_no_id_stands_in_no_formula(text: str) -> None:
    (row,) = csv.reader(io.StringIO(spreadsheet_line(RECORD._replace(flow_id=text, cust_space_id=text))))
    (plain,) = csv.reader(io.StringIO(csv_line(RECORD._replace(flow_id=text, cust_space_id=text))))
    assert row == plain


def test_an_id_too_long_for_a_formula_stays_a_plain_cell() -> None:
    assert spreadsheet_line(RECORD._replace(flow_id="9" * 256)).startswith(f"{'9' * 256},")


def test_a_long_message_full_of_escapes_is_not_cut_in_csv() -> None:
    (row,) = csv.reader(io.StringIO(csv_line(RECORD._replace(message="\U000e0001" * 2000))))
    assert row[8] == "\\U000e0001" * 2000


@pytest.mark.parametrize(
    ("record_format", "header", "line"),
    [
        (RecordFormat.JSONL, "", json_line(RECORD)),
        (
            RecordFormat.CSV,
            "flow_id,cust_space_id,state,inferred,in_doubt,attempts,http_status,code,message,request_id,source,line,finished_at\n",
            f"7,cams-a,refused,false,true,3,400,Some.Code,no,RID-2,ids.txt,7,{AT}\n",
        ),
        (
            RecordFormat.SPREADSHEET,
            "\ufeffflow_id,cust_space_id,state,inferred,in_doubt,attempts,http_status,code,message,request_id,source,line,finished_at\n",
            f'"=""7""","=""cams-a""",refused,false,true,3,400,Some.Code,no,RID-2,ids.txt,7,{AT}\n',
        ),
        (RecordFormat.IDS, "", "7\n"),
    ],
)
def test_each_format_has_its_header_and_line(record_format: RecordFormat, header: str, line: str) -> None:
    assert header_for(record_format) == header
    assert writer_for(record_format)(RECORD) == line
