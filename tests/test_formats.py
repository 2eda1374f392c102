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

from flowreaper.chunks import LINE_LIMIT
from flowreaper.errors import InputError
from flowreaper.formats import Format, InputSettings, detect, entries
from flowreaper.model import Entry, Flow, InvalidEntry

TEXT, CSV, JSONL, JSON = Format.TEXT, Format.CSV, Format.JSONL, Format.JSON


def read(*chunks: bytes, suffix: str = "", **settings: Any) -> list[Entry | InvalidEntry]:
    return list(entries(chunks, source="s", suffix=suffix, settings=InputSettings(**settings)))


def brief(*chunks: bytes, suffix: str = "", **settings: Any) -> list[object]:
    """An id as itself, an id in a space as a pair, an invalid entry as its line."""
    shown: list[object] = []
    for entry in read(*chunks, suffix=suffix, **settings):
        if isinstance(entry, InvalidEntry):
            shown.append(entry.line)
        else:
            shown.append(tuple(entry.flow) if entry.flow.cust_space_id else entry.flow.flow_id)
    return shown


def refusal(*chunks: bytes, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(*chunks, **settings)
    return str(caught.value)


def so_far(chunks: list[bytes], **settings: Any) -> list[Entry | InvalidEntry]:
    """Read until the end or an InputError, whose class alone is kept."""
    got: list[Entry | InvalidEntry] = []
    try:
        got.extend(entries(chunks, source="s", settings=InputSettings(**settings)))
    except InputError:
        got.append(InvalidEntry("", "InputError", "s", 0))
    return got


# --- telling formats apart


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
        (b"1\x00", "1\\x00", "cannot be seen"),
        (b"1\x1b[31m", "1\\x1b[31m", "cannot be seen"),
        ("1\u0080".encode(), "1\\x80", "cannot be seen"),
        ("1\u202e2".encode(), "1\\u202e2", "cannot be seen"),
        ("1\u200b".encode(), "1\\u200b", "cannot be seen"),
        ("1\ue000".encode(), "1\\ue000", "cannot be seen"),
        (b"a\xff\xfe", "a\\xff\\xfe", "not UTF-8"),
        (b"9.26E+17", "9.26E+17", "export the column as text"),
        (b"9,26E+17", "9,26E+17", "export the column as text"),
        (b"9E+17", "9E+17", "export the column as text"),
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


@pytest.mark.parametrize(
    "flow_id", ["346699123", "flow_001", "12e34", "9e17", "ä-ñ", "a" * 256, "-1", "a.b:c/d"]
)
def test_any_other_string_is_an_id(flow_id: str) -> None:
    assert brief(flow_id.encode(), format=TEXT) == [flow_id]


@pytest.mark.parametrize("flow_id", ["a,b", '"', "it's;"])
def test_what_is_no_id_in_text_is_one_where_the_format_says_so(flow_id: str) -> None:
    assert brief(json.dumps([flow_id]).encode(), format=JSON) == [flow_id]


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
            chunk = bytes(65536)
            held += len(chunk)
            yield chunk

    (bad,) = entries(endless(), source="s", settings=InputSettings(format=TEXT))
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
        (b"FlowId\n1\x002\n\xff\n3\n", [2, 3, "3"]),
        (b'FlowId\n"1"2\n3\n', [2, "3"]),
        (b'FlowId\n1\n"2\n3\n', ["1", 3]),
        (b'FlowId\n"1\n2"\n3\n', [2, "3"]),
        (b"FlowId,Name\n1," + b"x" * 200_000 + b"\n2,y\n", [2, "2"]),
        (b"flow_id,FlowId\n1,2\n", ["2"]),
    ],
)
def test_csv_records(data: bytes, expected: object) -> None:
    assert brief(data, format=CSV) == expected


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
    assert "--input-format csv" in entry.reason
    assert "jq -r" in entry.reason


def test_csv_without_the_id_column_names_the_columns_and_the_option() -> None:
    message = refusal(b"id,Na\x1bme\n1,x\n", format=CSV)
    assert (
        message
        == "s: there is no CSV column FlowId, there are id, Na\\x1bme; name the right one with --id-field"
    )
    assert "--space-field" in refusal(b"FlowId\n1\n", format=CSV, space_field="Where")
    assert "--id-field" in refusal(b"FlowId\n1\n", format=CSV, id_field="flow_id")


def test_csv_with_two_id_columns_is_refused_rather_than_guessed() -> None:
    assert "more than one" in refusal(b"flow_id,flow-id\n1,2\n", format=CSV)
    assert "more than one" in refusal(b"FlowId,FlowId\n1,2\n", format=CSV)


def test_csv_with_a_broken_header_is_refused() -> None:
    assert "header" in refusal(b'"FlowId\n1\n', format=CSV)
    assert "header" in refusal(b"x" * (LINE_LIMIT + 1), format=CSV)


def test_a_space_that_cannot_be_makes_the_entry_invalid() -> None:
    (bad,) = read(b"FlowId,CustSpaceId\n1,cams a\n", format=CSV)
    assert bad == InvalidEntry("1 in space cams a", "the space has white space inside", "s", 2)


def test_a_default_space_that_cannot_be_is_refused() -> None:
    assert "'a b'" in refusal(b"1", default_space="a b")


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
        b"[1, 2]\0",
    ],
)
def test_broken_json_yields_what_came_before_and_then_says_where(data: bytes) -> None:
    reader = entries([data], source="s", settings=InputSettings(format=JSON))
    assert [next(reader), next(reader)] == [Entry(Flow("1"), "s", 1), Entry(Flow("2"), "s", 2)]
    with pytest.raises(InputError, match=rf"^s: broken JSON within the first {len(data)} bytes: \S"):
        next(reader)


def test_an_endless_json_string_is_not_gathered() -> None:
    chunks = [b'["', *[b"x" * 65536] * 1000]
    asked = iter(chunks)
    with pytest.raises(InputError, match="a value is over"):
        list(entries(asked, source="s", settings=InputSettings(format=JSON)))
    assert len(list(asked)) > 900


# --- laws

ids = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=40)
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
    at = list(range(len(data))) if cuts is None else sorted(cuts.draw(st.sets(st.integers(0, len(data)))))
    chunks = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    assert so_far(chunks, format=form) == so_far([data], format=form)


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
    reader = entries(asked, source="s", settings=InputSettings(format=form))
    assert isinstance(entry := next(reader), Entry)
    assert entry.flow.flow_id == "1"
    assert list(asked) == chunks[1:]
