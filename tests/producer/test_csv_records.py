import csv

import pytest

from flowreaper.model import Entry, InvalidEntry
from flowreaper.producer.csv_records import CsvLines, find_delimiter, parse_header
from flowreaper.producer.formats import InputSettings, parse_entries
from flowreaper.producer.lines import LongLine

LONG = LongLine(b"x" * 10, 10, "0" * 64)


@pytest.mark.parametrize(
    ("header", "expected"), [(b"a,b;c", ","), (b"a;b\tc", ";"), (b"a\tb", "\t"), (b"a", ","), (LONG, ",")]
)
def test_the_delimiter_is_the_first_of_comma_semicolon_and_tab_that_occurs(
    header: bytes | LongLine, expected: str
) -> None:
    assert find_delimiter(header) == expected


def test_a_header_is_split_with_its_own_delimiter() -> None:
    assert parse_header('FlowId; "Cust;Space"') == ["FlowId", "Cust;Space"]


def test_what_is_no_csv_has_no_header_cells() -> None:
    assert parse_header("a\0" * 200_000) == []


def test_looking_at_the_first_line_skips_blank_ones_and_takes_none() -> None:
    lines = CsvLines(iter([b"", b"  ", b"a,b", b"1,2"]))
    assert lines.peek() == b"a,b"
    assert lines.number == 2
    assert list(csv.reader(lines)) == [["a", "b"], ["1", "2"]]
    assert (lines.number, lines.last) == (4, b"1,2")


def test_there_is_nothing_to_look_at_in_an_empty_file() -> None:
    assert CsvLines(iter([b"", b" "])).peek() == b""


def test_a_line_that_is_too_long_breaks_its_record_and_the_next_can_be_read() -> None:
    lines = CsvLines(iter([LONG, b"1,2"]))
    with pytest.raises(csv.Error):
        next(lines)
    assert lines.last == LONG
    assert next(lines) == "1,2\n"


@pytest.mark.parametrize(
    "cell", ['="926000000000007919"', '"=""926000000000007919"""', ' ="926000000000007919" ']
)
def test_a_formula_whose_value_is_a_text_stands_for_that_text(cell: str) -> None:
    (entry,) = parse_entries(
        [f'FlowId,CustSpaceId\n{cell},="007"\n'.encode()], source="a.csv", settings=InputSettings()
    )
    assert isinstance(entry, Entry)
    assert entry.flow == ("926000000000007919", "007")


@pytest.mark.parametrize(
    "cell", ['="9.26E+17"', '"=""926""&""1"""', "=926000000000007919", '=""', "'926000000000007919"]
)
def test_no_id_is_taken_from_another_formula_nor_a_rounded_one(cell: str) -> None:
    settings = InputSettings(format=None)
    (entry,) = parse_entries([f"FlowId,n\n{cell},1\n".encode()], source="a.csv", settings=settings)
    assert isinstance(entry, InvalidEntry)
