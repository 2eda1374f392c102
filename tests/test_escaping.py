"""Nothing that a terminal, a log or a spreadsheet obeys gets through."""

import sys
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.escaping import csv_cell, printable

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

everything = st.text(st.characters(codec=None, exclude_categories=[]))
limits = st.integers(0, 400)
# What steers, by number: controls, soft hyphen, Arabic letter mark, zero widths and direction marks, line and
# paragraph separators, embeddings and overrides, invisible operators and isolates, the byte order mark,
# interlinear annotations, tags.
STEERING = [
    *range(0x20),
    *range(0x7F, 0xA0),
    0xAD,
    0x061C,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0001, 0xE0080),
]


def harmless(text: str) -> bool:
    return all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\r\nc\td", "a\\x0ab\\x0d\\x0ac\\x09d"),
        ("bell\a null\0 del\x7f", "bell\\x07 null\\x00 del\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufeffid", "\\ufeffid"),
    ],
)
def test_what_steers_is_written_as_its_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text", ["", "346699123", "Ein Flow, gelöscht", "流程不存在", "\U0001f600", "a\\nb", "é"]
)
def test_plain_text_of_any_script_is_left_alone(text: str) -> None:
    assert printable(text) == text


def test_not_one_steering_character_of_unicode_survives() -> None:
    assert [hex(code) for code in STEERING if chr(code) in printable(chr(code))] == []


def test_every_character_of_unicode_comes_out_harmless_and_encodable() -> None:
    for code in range(sys.maxunicode + 1):
        shown = printable(chr(code))
        assert harmless(shown), hex(code)
        assert not 0xD800 <= ord(shown[0]) <= 0xDFFF, hex(code)


@unhurried
@given(everything, limits)
def test_any_text_comes_out_harmless_on_one_line_and_encodable(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert harmless(shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@unhurried
@given(everything, limits)
def test_a_cut_text_says_so_and_how_long_it_was(text: str, limit: int) -> None:
    shown = printable(text, limit)
    whole = printable(text, 10 * len(text))
    if len(whole) <= limit:
        assert shown == whole
    else:
        assert shown == f"{whole[:limit]}… [{len(text)} characters]"


@pytest.mark.parametrize("character", ["a", "é", "\x1b"])
def test_a_huge_text_is_cut_at_300_characters(character: str) -> None:
    shown = printable(character * 1_000_000)
    assert shown.endswith("… [1000000 characters]")
    assert len(shown) == 300 + len("… [1000000 characters]")


def test_a_text_at_the_limit_is_whole() -> None:
    assert printable("a" * 300) == "a" * 300
    assert printable("é" * 300) == "é" * 300


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
)
def test_a_would_be_formula_becomes_text(first: str) -> None:
    assert csv_cell(f"{first}cmd|' /C calc'!A0") == f"'{first}cmd|' /C calc'!A0"


@pytest.mark.parametrize("text", ["", "346699123", "cams-x", "a=b", "flow_001", " a", "'=1"])
def test_a_cell_that_is_no_formula_is_left_alone(text: str) -> None:
    assert csv_cell(text) == text


@unhurried
@given(everything)
def test_no_cell_starts_a_formula_and_none_loses_a_character(text: str) -> None:
    cell = csv_cell(text)
    assert cell[:1] not in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert cell.removeprefix("'") == text.removeprefix("'")
