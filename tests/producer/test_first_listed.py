"""What is found of a file without reading it: never what reading it would not find."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import InputError
from flowreaper.model import Entry, Flow
from flowreaper.producer import first_listed as module
from flowreaper.producer.files import read_entries
from flowreaper.producer.first_listed import first_listed
from flowreaper.producer.formats import Format, InputSettings
from flowreaper.producer.sources import Source

AUTO = InputSettings()
PIECES = st.lists(
    st.one_of(
        st.sampled_from(["11", "22", "33", ",", '"', "\n", "\r\n", "FlowId", "CustSpaceId", "a", " "]),
        st.sampled_from(["#", "{", "}", "[", "]", ":", "-", '"11","a"\n', "\ufeff", "FlowId,Name\n"]),
        st.sampled_from(['{"FlowId":"11"}', '{"Data":[{"FlowId":"22"},{"FlowId":33}]}']),
    ),
    max_size=40,
)


def source_of(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(path.name, str(path), rereadable=True)


def ids(*names: str) -> list[Flow]:
    return [Flow(name) for name in names]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# ids\n11\n 22 \r\n33\n"),
        ("a.txt", "11\n22\n33"),
        ("a.csv", "FlowId,Name\n11,a\n22,b\n33,c\n"),
        ("a.csv", '\ufeff\n"Name";"FlowId"\n"a";"11"\n"b";"22"\n"c, d";"33"\n'),
        ("a.jsonl", '"11"\n{"FlowId": "22", "Name": "33"}\n33\n'),
        ("a.jsonl", '{"Data":[{"FlowId":"11"},{"FlowId":"22"}]}\n{"body":{"Data":[{"FlowId":33}]}}\n'),
        ("a", '{"flow_id": "11"}\n{"flow_id": "22"}\n{"flow_id": "33"}\n'),
    ],
)
def test_flows_are_found_in_the_order_of_the_file(tmp_path: Path, name: str, text: str) -> None:
    source = source_of(tmp_path / name, text)
    assert first_listed(source, AUTO, ids("33", "22", "99")) == ids("22", "33")
    assert first_listed(source, AUTO, []) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# 11\n11,22\nx11\n11x\n"),
        ("a.csv", "FlowId,Name\n22,11\n"),
        ("a.csv", 'FlowId,Note\n22,"was:\n11,x\n"\n'),  # a line within a cell is no record
        ("a.csv", "Name\n11\n"),
        ("a.jsonl", '{"FlowId": "22", "Name": "11"}\n["11"]\n'),
        ("a.json", '["11"]'),  # elements stand anywhere in a line
    ],
)
def test_what_is_no_record_of_its_own_is_not_found(tmp_path: Path, name: str, text: str) -> None:
    assert first_listed(source_of(tmp_path / name, text), AUTO, ids("11")) == []


def test_the_space_counts_too(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.csv", "FlowId,CustSpaceId\n11,cams-a\n11,\n")
    assert first_listed(source, AUTO, [Flow("11", "cams-b")]) == []
    assert first_listed(source, AUTO, [Flow("11", "cams-a")]) == [Flow("11", "cams-a")]
    assert first_listed(source, InputSettings(default_space="cams-b"), [Flow("11", "cams-b")]) == [
        Flow("11", "cams-b")
    ]


def test_what_can_be_read_only_once_is_not_touched(tmp_path: Path) -> None:
    source = source_of(tmp_path / "a.txt", "11\n")
    source.rereadable = False
    assert first_listed(source, AUTO, ids("11")) == []


def test_a_few_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    names = [str(number) for number in range(100, 200)]
    assert first_listed(source_of(tmp_path / "a.txt", "\n".join(names)), AUTO, ids(*names)) == ids(*names[:3])


@given(PIECES, st.sampled_from([".txt", ".csv", ".jsonl", ".json", ""]), st.integers(1, 30))
def test_nothing_is_found_that_reading_would_not_find(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], suffix: str, block: int
) -> None:
    source = source_of(tmp_path_factory.getbasetemp() / f"law{suffix}", "".join(pieces))
    wanted = ids("11", "22", "33")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        found = first_listed(source, AUTO, wanted)
    read = set()
    try:
        for entry in read_entries(source, AUTO):
            if isinstance(entry, Entry):
                read.add(entry.flow)
    except InputError:
        pass
    assert set(found) <= read
    assert len(found) == len(set(found))


@given(st.lists(st.integers(10, 40), min_size=1), st.sampled_from(list(Format)))
def test_in_well_formed_files_all_are_found_where_lines_are_records(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], form: Format
) -> None:
    names = [str(number) for number in numbers]
    text = {
        Format.TEXT: "\n".join(names),
        Format.CSV: "FlowId\n" + "\n".join(names),
        Format.JSONL: "\n".join(json.dumps({"FlowId": name}) for name in names),
        Format.JSON: json.dumps(names),
    }[form]
    source = source_of(tmp_path_factory.getbasetemp() / "all", text)
    found = first_listed(source, InputSettings(format=form), ids(*names))
    assert found == ([] if form is Format.JSON else ids(*dict.fromkeys(names)))
