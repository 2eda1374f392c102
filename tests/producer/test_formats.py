"""Formats: bytes in, entries out."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowreaper.errors import Advice, InputError
from flowreaper.model import AnyEntry, Entry, Flow, InvalidEntry
from flowreaper.producer.flow_ids import is_plain, why_invalid
from flowreaper.producer.formats import Format, InputSettings, detect, parse_entries
from flowreaper.producer.lines import LINE_LIMIT

TEXT, CSV, JSONL, JSON = Format.TEXT, Format.CSV, Format.JSONL, Format.JSON


def read(*chunks: bytes, suffix: str = "", **settings: Any) -> list[AnyEntry]:
    return list(parse_entries(chunks, source="s", suffix=suffix, settings=InputSettings(**settings)))


def brief(*chunks: bytes, suffix: str = "", **settings: Any) -> list[object]:
    """An id as itself, an id in a space as a pair, an invalid entry as its line."""
    shown: list[object] = []
    for entry in read(*chunks, suffix=suffix, **settings):
        if isinstance(entry, InvalidEntry):
            shown.append(entry.line)
        else:
            shown.append(tuple(entry.flow) if entry.flow.cust_space_id else entry.flow.flow_id)
    return shown


def refusal_of(*chunks: bytes, **settings: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(*chunks, **settings)
    return caught.value


def refusal(*chunks: bytes, **settings: Any) -> str:
    return str(refusal_of(*chunks, **settings))


def so_far(chunks: list[bytes], **settings: Any) -> list[AnyEntry]:
    """Read until the end or an InputError, whose class alone is kept."""
    got: list[AnyEntry] = []
    try:
        got.extend(parse_entries(chunks, source="s", settings=InputSettings(**settings)))
    except InputError:
        got.append(InvalidEntry("", "InputError", "s", 0))
    return got


# --- detecting the format


@pytest.mark.parametrize(
    ("suffix", "first", "expected"),
    [
        (".txt", b"[", TEXT),
        (".CSV", b"1", CSV),
        (".tsv", b"1", CSV),
        (".jsonl", b"[", JSONL),
        (".ndjson", b"[", JSONL),
        (".json", b"1", JSON),
        ("", b"", TEXT),
        (".dat", b"123\n124\n", TEXT),
        ("", b"# [list]\n123\n", TEXT),
        ("", b"\xef\xbb\xbf \n [1]", JSON),
        ("", b'{"FlowId": "1"}\n{"FlowId": "2"}\n', JSONL),
        ("", b'{"FlowId": "1"}', JSONL),
        ("", b'{\n "Data": []}', JSON),
        ("", b'{"Code":"OK","Data":[{"FlowId":"1"}]}\n', JSON),
        ("", b'{"body":{"Data":[]}}\n', JSON),
        ("", b'"123"\n"124"\n', JSONL),
        ("", b"FlowName,Flow ID\nx,1\n", CSV),
        ("", b'"flow_id";"n"\n1;x\n', CSV),
        ("", b"n\tflow-id\r\nx\t1\r\n", CSV),
        ("", b"FlowId\n1\n", CSV),
        ("", b"1,2\n", TEXT),
        ("", b"\xff\x00", TEXT),
    ],
)
def test_the_format_is_told_by_the_suffix_else_by_the_first_bytes(
    suffix: str, first: bytes, expected: object
) -> None:
    assert detect(suffix, first) is expected


def test_a_header_is_known_by_the_id_field_that_the_user_names() -> None:
    assert detect("", b"Key,Name\n1,x\n", "Key") is CSV
    assert detect("", b"FlowId,Name\n1,x\n", "Key") is TEXT


def test_entries_tell_the_format_however_the_start_is_cut() -> None:
    assert brief(b"\xef", b"\xbb\xbf", b"Flow", b"Id,x\n", b"1,2\n") == ["1"]


# --- text


def test_text_tolerates_blanks_crlf_a_bom_blank_lines_and_comments() -> None:
    assert brief(b"\xef\xbb\xbf 1 \r\n\r\n#2\n  # 3\n\t4\t\n\n5", format=TEXT) == ["1", "4", "5"]


def test_an_entry_carries_the_source_the_line_and_the_default_space() -> None:
    assert read(b"\n7\n", format=TEXT, default_space="cams-a") == [Entry(Flow("7", "cams-a"), "s", 2)]


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        (b"1 2", "1 2", "white space inside"),
        ("1\u00a02".encode(), "1\u00a02", "white space inside"),
        ("1\u2028".encode(), "1\\u2028", "white space inside"),
        (b"1\x1b[31m", "1\\x1b[31m", "cannot be seen"),
        ("1\u0080".encode(), "1\\x80", "cannot be seen"),
        ("1\u202e2".encode(), "1\\u202e2", "cannot be seen"),
        ("1\u200b".encode(), "1\\u200b", "cannot be seen"),
        ("1\ue000".encode(), "1\\ue000", "cannot be seen"),
        (b"a\xff\xfe", "a\\xff\\xfe", "not UTF-8"),
        (b"9.26E+17", "9.26E+17", "export the column as text"),
        (b"9,26E+17", "9,26E+17", "export the column as text"),
        (b"9E+17", "9E+17", "export the column as text"),
        (b"9E-17", "9E-17", "export the column as text"),
        (b"9.26e17", "9.26e17", "export the column as text"),
        (b"346699123.0", "346699123.0", "export the column as text"),
    ],
)
def test_what_cannot_be_an_id_is_invalid_and_does_not_stop_the_rest(
    raw: bytes, text: str, reason: str
) -> None:
    bad, good = read(raw + b"\n8", format=TEXT)
    assert isinstance(bad, InvalidEntry)
    assert (bad.text, bad.source, bad.line) == (text, "s", 1)
    assert reason in bad.reason
    assert good == Entry(Flow("8"), "s", 2)


IDS = ["346699123", "flow_001", "12e34", "9e17", "a" * 255 + "1", "a.b:c-1", "1.a", "c0ffee00-1234-5678"]


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("flow_id", IDS)
def test_letters_digits_and_four_marks_with_a_digit_in_it_are_an_id(form: Format, flow_id: str) -> None:
    assert brief(written(form, [(flow_id, "")]), format=form) == [flow_id]


DEBRIS = [
    ("null", "has no digit in it"),
    ("None", "has no digit in it"),
    ("abc", "has no digit in it"),
    ("[", "has [ in it"),
    ("{", "has { in it"),
    ("--", "begins with -, not with a letter or a digit"),
    ("-1", "begins with -, not with a letter or a digit"),
    ("_1", "begins with _"),
    ("flows:", "has no digit in it"),
    ("<html><body>login</body></html>", "has < in it"),
    ("123#x", "has # in it"),
    ("a.b:c/1", "has / in it"),
    ("\uff11\uff12\uff13", "has \uff11 in it, which is none of the ASCII letters"),
    ("\u0661\u0662", "has \u0661 in it"),
    ("1\u00b2", "has \u00b2 in it"),
    ("\u00e4-1", "has \u00e4 in it"),
    ("12\u0131", "has \u0131 in it"),
]


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(("text", "why"), DEBRIS)
def test_other_text_is_invalid_says_why_and_names_the_option(form: Format, text: str, why: str) -> None:
    (bad,) = read(written(form, [(text, "")]), format=form)
    assert isinstance(bad, InvalidEntry)
    assert bad.text == text
    assert bad.reason.startswith(f"the flow id {why}")
    assert bad.reason.endswith("(other ids need an id pattern)")


@pytest.mark.parametrize("form", Format)
def test_a_pattern_stands_in_for_the_rule_and_must_match_the_whole_id(form: Format) -> None:
    pairs = [("<\u00e4>", ""), ("<1>x", ""), ("123", "cams-a")]
    good, *bad = read(written(form, pairs), format=form, id_pattern="<.>")
    assert good == Entry(Flow("<\u00e4>"), "s", good.line)
    assert [entry.reason for entry in bad if isinstance(entry, InvalidEntry)] == [
        "the flow id does not match the id pattern <.>"
    ] * 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 2", "white space"),
        ("1\u200b", "cannot be seen"),
        ("1\x1b", "cannot be seen"),
        ("1" * 257, "has 257 characters"),
        ("9.26E+17", "rounded"),
    ],
)
def test_a_pattern_allows_nothing_that_no_id_can_be(text: str, why: str) -> None:
    (bad,) = read(json.dumps([text]).encode(), format=JSON, id_pattern=r"(?s).*")
    assert isinstance(bad, InvalidEntry)
    assert why in bad.reason
    (bad,) = read(b"a\xff1", format=TEXT, id_pattern=r"(?s).*")
    assert isinstance(bad, InvalidEntry)
    assert "not UTF-8" in bad.reason


@pytest.mark.parametrize("flow_id", ["a,b", '"', "it's;"])
def test_a_pattern_may_allow_a_comma_and_quotes_even_in_text(flow_id: str) -> None:
    assert brief(flow_id.encode(), format=TEXT) == [1]
    assert brief(json.dumps([flow_id]).encode(), format=JSON) == [1]
    for form, data in ((TEXT, flow_id), (JSON, json.dumps([flow_id]))):
        assert brief(data.encode(), format=form, id_pattern="[ab,';\"its]+") == [flow_id]


@pytest.mark.parametrize("pattern", ["[", "(?P<", "a{99999999999999999999}", "", "*"])
def test_a_pattern_that_is_none_is_refused_by_its_name(pattern: str) -> None:
    with pytest.raises(InputError, match=r"^the id pattern .*expression"):
        InputSettings(id_pattern=pattern)


@pytest.mark.parametrize("header", ["FlowId", "flow_id", "Flow ID", "FLOW-ID", "\ufeffFlowId", '"FlowId"'])
def test_a_first_line_of_text_that_names_the_field_is_a_header(header: str) -> None:
    assert brief(f"\n# ids\n {header}\r\n1\n".encode(), format=TEXT) == ["1"]


def test_a_header_of_text_is_the_first_line_alone_and_its_repetition() -> None:
    assert brief(b"1\nFlowId\n", format=TEXT) == ["1", 2]
    assert brief(b"FlowId\n1\nFlowId\n2\nflow_id\n", format=TEXT) == ["1", "2", 5]
    assert brief(b"Key\n1\n", format=TEXT, id_field="Key") == ["1"]
    assert brief(b"FlowId\n1\n", format=TEXT, id_field="Key") == [1, "1"]
    assert brief(b"x" * (LINE_LIMIT + 1) + b"\nFlowId\n", format=TEXT) == [1, 2]


def test_an_id_over_256_characters_is_invalid_and_long_ones_stay_apart() -> None:
    one, two = read(b"a" * 257 + b"\n" + b"a" * 257 + b"b", format=TEXT)
    assert isinstance(one, InvalidEntry)
    assert isinstance(two, InvalidEntry)
    assert one.reason == "the flow id has 257 characters, more than 256"
    digest = hashlib.sha256(b"a" * 257).hexdigest()[:12]
    assert one.text == "a" * 200 + f"… [257 characters, sha256 {digest}]"
    assert one.text != two.text


@pytest.mark.parametrize("form", [TEXT, JSONL, CSV])
@pytest.mark.parametrize("cut", [LINE_LIMIT * 3, 65536])
def test_a_line_over_the_limit_is_one_invalid_entry_and_the_rest_goes_on(form: Format, cut: int) -> None:
    head = b"FlowId\n" if form is CSV else b""
    line = b"1" * (LINE_LIMIT + 100_000)
    data = head + line + b"\n2\n"
    bad, good = read(*(data[i : i + cut] for i in range(0, len(data), cut)), format=form)
    assert isinstance(bad, InvalidEntry)
    assert bad.text.endswith(f"[{len(line)} bytes, sha256 {hashlib.sha256(line).hexdigest()[:12]}]")
    assert len(bad.text) < 300
    assert isinstance(good, Entry)
    assert good.line == bad.line + 1


def test_an_endless_line_is_not_gathered() -> None:
    held = 0

    def endless() -> Iterator[bytes]:
        nonlocal held
        for _ in range(1000):
            chunk = b"x" * 65536
            held += len(chunk)
            yield chunk

    (bad,) = parse_entries(endless(), source="s", settings=InputSettings(format=TEXT))
    assert isinstance(bad, InvalidEntry)
    assert f"[{held} bytes" in bad.text


# --- CSV


@pytest.mark.parametrize("name", ["FlowId", "flow_id", "flowId", "flow-id", "Flow ID", "FLOWID", " FlowId "])
def test_csv_finds_the_id_column_in_any_spelling(name: str) -> None:
    assert brief(f"Name,{name}\nx,1\ny,2".encode(), format=CSV) == ["1", "2"]


@pytest.mark.parametrize("name", ["CustSpaceId", "cust_space_id", "Cust Space ID"])
def test_csv_finds_the_space_column_in_any_spelling(name: str) -> None:
    data = f"{name},FlowId\ncams-a,1\n,2\n".encode()
    assert brief(data, format=CSV) == [("1", "cams-a"), "2"]
    assert brief(data, format=CSV, default_space="cams-z") == [("1", "cams-a"), ("2", "cams-z")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"FlowId\n", []),
        (b"\xef\xbb\xbfFlowId\r\n1\r\n", ["1"]),
        (b"FlowId;Name\n1;a,b\n", ["1"]),
        (b"Name\tFlowId\na;b\t1\n", ["1"]),
        (b'Name,FlowId\n"a,b","1"\n"c ""d""", "2"\n', ["1", "2"]),
        (b'Name,FlowId\n"a\nb",1\nc,\n', ["1", 4]),
        (b"\n\nFlowId,Name\n\n,\n ,\n1,a\n", ["1"]),
        (b"Name,FlowId\nx\ny,1\n", [2, "1"]),
        (b"FlowId,Name,Tag\n1\n", ["1"]),
        (b"FlowId,CustSpaceId\n1\n", [2]),
        (b"FlowId,Name\n1,a,,\n2,a,b\n", ["1", 3]),
        (b"FlowId,Name\n9.26E+17,a\n1,b\n", [2, "1"]),
        (b"FlowId\n1\x012\n\xff\n3\n", [2, 3, "3"]),
        (b'FlowId\n"1"2\n3\n', [2, "3"]),
        (b'FlowId\n1\n"2', ["1", 3]),
        (b'FlowId\n"1\n2"\n3\n', [2, "3"]),
        (b"FlowId,Name\n1," + b"x" * 200_000 + b"\n2,y\n", [2, "2"]),
        (b"flow_id,FlowId\n1,2\n", ["2"]),
        (b"FlowId,Name\n1,a\nFlowId,Name\n2,b\n", ["1", "2"]),
        (b"FlowId,Name\n1,a\nFlowId,Title\n2,b\n", ["1", 3, "2"]),
    ],
)
def test_csv_records(data: bytes, expected: object) -> None:
    assert brief(data, format=CSV) == expected


@pytest.mark.parametrize(
    ("data", "first", "last"),
    [
        (b'FlowId\n1\n"2\n3\n', 3, 4),
        (b'FlowId,Name\n1,"a\n' + b"2,b\n" * 1998, 2, 2000),
        (b'FlowId,Name\n0,x\n1,"a\nb"\n2,"c\n\n', 5, 6),
    ],
)
def test_a_quotation_mark_that_is_never_closed_is_an_error_that_names_the_lines(
    data: bytes, first: int, last: int
) -> None:
    says = refusal(data, format=CSV)
    assert f"in the CSV record that begins in line {first}, a quotation mark is never closed" in says
    assert f"lines {first} to {last}, {last - first + 1:,} lines, were not read as ids" in says


@pytest.mark.parametrize(
    "rest",
    [
        b"".join(b"%d,b\n" % n for n in range(926000000000000000, 926000000000010000)),  # a cell too long
        b'2,"b"\n3,"c"\n',  # the next mark closes it
        b"x" * (LINE_LIMIT + 1) + b"\n2,b\n",
    ],
)
def test_a_record_that_swallows_lines_before_it_breaks_ends_the_reading(rest: bytes) -> None:
    reader = parse_entries(
        [b'FlowId,Name\n9,x\n1,"a\n' + rest], source="s", settings=InputSettings(format=CSV)
    )
    assert next(reader) == Entry(Flow("9"), "s", 2)
    with pytest.raises(InputError, match=r"^s: the CSV record of lines 3 to \d+ is broken .*not read as ids"):
        next(reader)


@pytest.mark.parametrize("size", [200_000, LINE_LIMIT + 1])
def test_what_follows_a_cell_that_is_given_up_within_quotation_marks_is_not_read(size: int) -> None:
    text = b"x" * size + b"\n2,the middle of a text\n"
    assert "lines 2 to 2" in refusal(b'FlowId,Name\n1,"' + text, format=CSV)
    assert brief(b'FlowId,Name\n1,"' + text.replace(b"\n", b'"\n', 1), format=CSV) == [2, "2"]


def test_csv_takes_the_columns_that_the_user_names() -> None:
    data = b"FlowId,Key,Where,CustSpaceId\n1,2,cams-a,cams-b\n"
    assert brief(data, format=CSV, id_field="Key", space_field="Where") == [("2", "cams-a")]


@pytest.mark.parametrize(
    ("data", "id_field"),
    [(b"926000000000007919\n926000000000007920\n", None), (b"926000000000007919,a\n", "926000000000007919")],
)
def test_a_csv_whose_first_line_is_data_is_refused_and_no_id_is_lost_as_a_header(
    data: bytes, id_field: str | None
) -> None:
    message = refusal(data, format=CSV, id_field=id_field)
    assert message.startswith("s: the first line looks like data, not like a CSV header: 926000000000007919")
    assert "add a header line" in message


def test_a_csv_column_may_have_a_long_number_for_its_name_beside_the_ids() -> None:
    data = b"FlowId,2026112400000000\n1,x\n"
    assert brief(data, format=CSV) == ["1"]
    assert "no CSV column Where" in refusal(data, format=CSV, space_field="Where")


@pytest.mark.parametrize("line", ["FlowId,Name", "926, a", "926;a", '"926"', "'926'", '{"FlowId": 926},'])
def test_a_piece_of_csv_or_json_is_no_id_in_text(line: str) -> None:
    (entry,) = read(line.encode(), format=TEXT)
    assert isinstance(entry, InvalidEntry)
    assert entry.text == line
    assert re.match(r"the line has [,;\"'] in it", entry.reason)
    assert "read CSV as CSV" in entry.reason
    assert "jq -r" in entry.reason


def test_csv_without_the_id_column_names_the_columns_and_the_option() -> None:
    refused = refusal_of(b"id,Na\x1bme\n1,x\n", format=CSV)
    assert str(refused) == "s: there is no CSV column FlowId, there are id, Na\\x1bme"
    assert refused.advice is Advice.NAME_ID_FIELD
    assert refusal_of(b"FlowId\n1\n", format=CSV, id_field="flow_id").advice is Advice.NAME_ID_FIELD
    assert refusal_of(b"FlowId\n1\n", format=CSV, space_field="Where").advice is Advice.NAME_SPACE_FIELD


def test_csv_with_two_id_columns_is_refused_rather_than_guessed() -> None:
    assert "more than one" in refusal(b"flow_id,flow-id\n1,2\n", format=CSV)
    assert "more than one" in refusal(b"FlowId,FlowId\n1,2\n", format=CSV)


def test_csv_with_a_broken_header_is_refused() -> None:
    assert "header" in refusal(b'"FlowId\n1\n', format=CSV)
    assert "header" in refusal(b"x" * (LINE_LIMIT + 1), format=CSV)


def test_a_space_that_cannot_be_makes_the_entry_invalid() -> None:
    (bad,) = read(b"FlowId,CustSpaceId\n1,cams a\n", format=CSV)
    assert bad == InvalidEntry("1 in space cams a", "the space has white space inside", "s", 2)


@pytest.mark.parametrize(
    ("space", "why"),
    [
        ("null", "stands for no value"),
        ("None", "stands for no value"),
        ("NaN", "stands for no value"),
        ("cams/a", "has / in it"),
        ("-a", "begins with -"),
        ("\uff11", "has \uff11 in it"),
        ("3.9E+8", "rounded"),
    ],
)
def test_a_space_follows_the_same_rule_but_needs_no_digit(space: str, why: str) -> None:
    (bad,) = read(f"FlowId,CustSpaceId\n1,{space}\n".encode(), format=CSV)
    assert isinstance(bad, InvalidEntry)
    assert bad.text == f"1 in space {space}"
    assert why in bad.reason
    with pytest.raises(InputError, match="the space .*" + why):
        InputSettings(default_space=space)
    for good in ("cams-abc", "393983883", "cams-", "a.b:c_d"):
        assert brief(f"FlowId,CustSpaceId\n1,{good}\n".encode(), format=CSV) == [("1", good)]


def test_a_default_space_that_cannot_be_is_refused() -> None:
    assert "'a b'" in refusal(b"1", default_space="a b")


# --- byte order marks


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("form", "data", "expected"),
    [
        (TEXT, b"1\n@2\n@\n@@3\n@# 4\n5\n", ["1", "2", "3", "5"]),
        (TEXT, b"FlowId\n1\n@FlowId\n2", ["1", "2"]),
        (CSV, b"FlowId,n\n1,x\n@FlowId,n\n2,y\n", ["1", "2"]),
        (CSV, b'@\n@FlowId,n\n@1,x\n@"2",y\n', ["1", "2"]),
        (JSONL, b'{"FlowId":"1"}\n@{"FlowId":"2"}\n@\n@"3"', ["1", "2", "3"]),
        (TEXT, b"1\n2@3\n", ["1", 2]),
    ],
)
def test_a_byte_order_mark_at_the_start_of_a_later_line_does_not_count(
    form: Format, data: bytes, expected: list[object]
) -> None:
    data = data.replace(b"@", BOM)
    assert brief(BOM + data, format=form) == expected
    assert brief(*(data[i : i + 1] for i in range(len(data))), format=form) == expected
    assert brief(data) == expected


# --- a NUL byte


@pytest.mark.parametrize("form", Format)
def test_a_nul_byte_is_an_error_that_names_its_offset_and_nothing_of_its_chunk_is_read(form: Format) -> None:
    data = written(form, [("1", ""), ("2", "")]) + b"\n"
    got: list[AnyEntry] = []
    with pytest.raises(InputError, match=rf"^s: has a NUL byte at offset {len(data) + 4}, "):
        got.extend(parse_entries([data, b" \n  \x00\n9"], source="s", settings=InputSettings(format=form)))
    assert brief(data, format=form) == [e.flow.flow_id for e in got if isinstance(e, Entry)] == ["1", "2"]


# --- JSON lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"FlowId": "1", "Name": "x"}', "1"),
        (b'{"flow_id": 926000000000000001, "n": 1.5}', "926000000000000001"),
        (b'{"FlowId": "1", "cust_space_id": "cams-a"}', ("1", "cams-a")),
        (b'{"FlowId": "1", "CustSpaceId": null}', "1"),
        (b'{"FlowId": "1", "CustSpaceId": 77}', ("1", "77")),
        (b'{"flow_id": "1", "FlowId": "2"}', "2"),
        (b'" 1 "', "1"),
        (b"12345678901234567890123", "12345678901234567890123"),
        (b"1" * 5000, 1),
        (b"9.26e17", 1),
        (b'{"FlowId": 1.0}', 1),
        (b'{"FlowId": NaN}', 1),
        (b'{"FlowId": "1", "CustSpaceId": 1e3}', 1),
        (b'{"FlowId": "1", "CustSpaceId": false}', 1),
        (b'{"flow_id": "1", "flow-id": "2"}', 1),
        (b'{"FlowId": null}', 1),
        (b'{"FlowId": ["1"]}', 1),
        (b'{"FlowId": ""}', 1),
        (b'{"Name": "x"}', 1),
        (b'{"FlowId": "1\\u0000"}', 1),
        (b'{"FlowId": "1\\ud800"}', 1),
        (b'{"FlowId": "1\xff"}', 1),
        (b'{"FlowId": "1", "n": "\xff"}', 1),
        (b"true", 1),
        (b"null", 1),
        (b"[1]", 1),
        (b"abc", 1),
        (b'{"FlowId": "1"', 1),
        (b"[" * 100_000, 1),
    ],
)
def test_json_lines(line: bytes, expected: object) -> None:
    assert brief(line + b"\r\n\n" + b'"9"', format=JSONL) == [expected, "9"]


def test_a_rounded_json_number_says_why() -> None:
    (bad,) = read(b"9.26e17", format=JSONL)
    assert isinstance(bad, InvalidEntry)
    assert "export the column as text" in bad.reason


def test_a_listing_in_a_line_yields_each_of_its_flows_with_the_lines_number() -> None:
    lines = [
        '{"Code":"OK","Data":[{"FlowId":"1","FlowName":"a","Categories":["OTHER"]},{"FlowId":2}]}',
        '{"statusCode":200,"body":{"Code":"OK","Data":[{"FlowId":"3"},{"FlowName":"no id"},"4"]}}',
        '{"Code":"OK","Data":[]}',
        '{"FlowId":"5","Data":[{"FlowId":"6"}]}',
        '{"Code":"System.LimitControl","Data":null}',
    ]
    data = "\n".join(lines).encode()
    got = read(data, format=JSONL)
    assert brief(data, format=JSONL) == ["1", "2", "3", 2, "4", "5", 5]
    assert [entry.line for entry in got] == [1, 1, 2, 2, 2, 4, 5]
    assert isinstance(got[3], InvalidEntry)
    assert got[3].text == '{"FlowName": "no id"}'


def test_saved_answers_a_line_each_without_a_suffix_are_read_too() -> None:
    answer = b'{"body":{"Data":[{"FlowId":"%d"}]}}\n'
    assert brief(answer % 1 + answer % 2) == ["1", "2"]
    pretty = json.dumps({"body": {"Data": [{"FlowId": "3"}]}}, indent=2).encode()
    assert brief(pretty + b"\n" + pretty, suffix=".json") == ["3", "3"]


# --- JSON


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b" \n ", []),
        (b"[]", []),
        (
            b'[1, "2", {"FlowId": "3"}, {"flow_id": 4, "x": {"FlowId": "5", "y": [1, {}]}}]',
            ["1", "2", "3", "4"],
        ),
        (b"[926000000000000001, 12345678901234567890123]", ["926000000000000001", "12345678901234567890123"]),
        (b'[9.26e17, 1.0, true, null, [1], {}, {"FlowId": 1e3}, "a b", "8"]', [1, 2, 3, 4, 5, 6, 7, 8, "8"]),
        (b'[{"FlowId": {"FlowId": "1"}}, {"FlowId": "2", "CustSpaceId": []}, 3]', [1, 2, "3"]),
        (b'[{"FlowId": "1", "CustSpaceId": "cams-a"}]', [("1", "cams-a")]),
        (b'{"Code": "OK", "Data": [{"FlowId": "1"}], "RequestId": "x"}', ["1"]),
        (b'{"headers": {"a": [1]}, "statusCode": 200, "body": {"Data": [{"FlowId": "1"}], "x": {}}}', ["1"]),
        (b'\xef\xbb\xbf{"Data": [1]}\n{"Data": [2]}{"Data": []} [3]\n', ["1", "2", "3"]),
    ],
)
def test_json_documents(data: bytes, expected: object) -> None:
    assert brief(data, format=JSON) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"FlowId": "1"}',
        b'{"Data": {"FlowId": "1"}}',
        b'{"body": {"body": {"Data": [1]}}}',
        b"1",
        b'"1"',
        b"null",
    ],
)
def test_json_without_a_list_of_flows_says_what_was_expected(data: bytes) -> None:
    message = refusal(data, format=JSON)
    assert message.startswith("s: JSON document 1 holds no flows")
    assert "ListFlow" in message


@pytest.mark.parametrize(
    "data",
    [
        b"[1, 2",
        b"[1, 2, x]",
        b"[1, 2] x",
        b"[1, 2, \xff]",
        b'[1, 2, "\xff"]',
        b"[1, 2, " + b"1" * 5000 + b"]",
        b"[1, 2, 1e99999999999999999999]",
        b'[1, 2, {"FlowId": 3, ',
    ],
)
def test_broken_json_yields_what_came_before_and_then_says_where(data: bytes) -> None:
    reader = parse_entries([data], source="s", settings=InputSettings(format=JSON))
    assert [next(reader), next(reader)] == [Entry(Flow("1"), "s", 1), Entry(Flow("2"), "s", 2)]
    with pytest.raises(InputError, match=rf"^s: broken JSON within the first {len(data)} bytes: \S"):
        next(reader)


def test_an_endless_json_string_is_not_gathered() -> None:
    chunks = [b'["', *[b"x" * 65536] * 1000]
    asked = iter(chunks)
    with pytest.raises(InputError, match="a value is over"):
        list(parse_entries(asked, source="s", settings=InputSettings(format=JSON)))
    assert len(list(asked)) > 900


# --- laws

ids = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z_.:-]{0,39}", fullmatch=True).filter(
    lambda text: (
        re.search("[0-9]", text)
        and not re.fullmatch(r"[0-9]+(\.[0-9]*|\.?[0-9]*[eE]-[0-9]+|\.[0-9]*[eE][0-9]+)", text)
    )
)
flows = st.lists(st.tuples(ids, st.sampled_from(["", "cams-a", "77"])), max_size=30)


def written(form: Format, pairs: list[tuple[str, str]]) -> bytes:
    objects = [{"FlowId": i, "CustSpaceId": s} for i, s in pairs]
    if form is CSV:
        out = io.StringIO()
        csv.writer(out).writerows([("FlowId", "CustSpaceId"), *pairs])
        return out.getvalue().encode()
    if form is JSONL:
        return b"".join(json.dumps(o, ensure_ascii=False).encode() + b"\n" for o in objects)
    if form is JSON:
        return json.dumps({"Code": "OK", "Data": objects}).encode()
    return "\n".join(i for i, _ in pairs).encode()


@given(form=st.sampled_from(Format), pairs=flows)
def test_ids_that_are_written_are_read_back_equal_and_in_order(
    form: Format, pairs: list[tuple[str, str]]
) -> None:
    got = read(written(form, pairs), format=form)
    wanted = [Flow(i, "" if form is TEXT else s) for i, s in pairs]
    assert [e.flow for e in got if isinstance(e, Entry)] == wanted
    assert len(got) == len(wanted)


pieces = [
    *b"FlowId|CustSpaceId|Data|body|null|1|9.2e17|\xef\xbb\xbf|\xff|\\ud800".split(b"|"),
    *(bytes([byte]) for byte in b'",;\t:{}[]\n\r \\\0#'),
]
looks_like_input = st.lists(st.sampled_from(pieces) | st.binary(max_size=5), max_size=40).map(b"".join)


@given(data=st.binary() | looks_like_input, form=st.none() | st.sampled_from(Format), cuts=st.data())
@example(data=b'{"Data":[{"FlowId":"1"}', form=JSON, cuts=None)
def test_any_bytes_give_entries_or_an_input_error_and_chunks_do_not_matter(
    data: bytes, form: Format | None, cuts: st.DataObject | None
) -> None:
    data = data.replace(b"\0", b"")  # of a chunk with a NUL nothing is read
    at = list(range(len(data))) if cuts is None else sorted(cuts.draw(st.sets(st.integers(0, len(data)))))
    chunks = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    assert so_far(chunks, format=form) == so_far([data], format=form)


@given(data=st.binary() | looks_like_input, form=st.none() | st.sampled_from(Format))
def test_an_id_and_a_space_always_match_their_rule(data: bytes, form: Format | None) -> None:
    for entry in so_far([data.replace(b"\0", b"")], format=form):
        if isinstance(entry, Entry):
            assert re.fullmatch(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z_.:-]{0,255}", entry.flow.flow_id)
            assert re.fullmatch(r"([0-9A-Za-z][0-9A-Za-z_.:-]{0,255})?", entry.flow.cust_space_id)


@given(st.text(st.sampled_from("0129eE.,+-_:aZ \u00e4"), max_size=12) | st.text(max_size=300), st.booleans())
def test_what_is_an_id_at_first_sight_is_one_by_the_rule(text: str, long: bool) -> None:  # noqa: FBT001 -- hypothesis draws it
    text = text.strip() + "1" * (250 if long else 0)
    if is_plain(text.encode()):
        assert re.fullmatch(r"(?=.*[0-9])[0-9A-Za-z][0-9A-Za-z_-]{0,255}", text)
        assert not why_invalid(text)


@given(data=st.binary() | looks_like_input, form=st.sampled_from(Format))
def test_nothing_that_steers_a_terminal_gets_through(data: bytes, form: Format) -> None:
    for entry in so_far([data], format=form):
        shown = [*entry.flow] if isinstance(entry, Entry) else [entry.text, entry.reason]
        assert all(text.isprintable() for text in shown)
        json.dumps(shown).encode()


@pytest.mark.parametrize(
    ("form", "chunks"),
    [
        (TEXT, [b"1\n2", b"\n", b"3\n"]),
        (CSV, [b"FlowId,n\n1,x\n2", b",y\n", b"3,z\n"]),
        (JSONL, [b'"1"\n"2', b'"\n', b'"3"\n']),
        (JSON, [b'["1",{"FlowId":"2"', b"}", b',"3"]']),
        (None, [b"1\n2", b"\n", b"3\n"]),
        (None, [b'["1",{"FlowId":"2"', b"}", b',"3"]']),
    ],
)
def test_an_entry_comes_before_the_next_chunk_is_asked_for(form: Format | None, chunks: list[bytes]) -> None:
    asked = iter(chunks)
    reader = parse_entries(asked, source="s", settings=InputSettings(format=form))
    assert isinstance(entry := next(reader), Entry)
    assert entry.flow.flow_id == "1"
    assert list(asked) == chunks[1:]
