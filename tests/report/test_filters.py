import pytest
from markupsafe import Markup

from flowreaper.report import filters
from tests.report.samples import run

BIDI = "\u202eabc"


@pytest.mark.parametrize(
    ("part", "total", "text"),
    [
        (0, 9, "0 %"),
        (9, 9, "100 %"),
        (1, 10**6, "< 0.1 %"),
        (10**6 - 1, 10**6, "> 99.9 %"),
        (1, 3, "33.3 %"),
        (0, 0, ""),
    ],
)
def test_a_share_never_says_all_or_nothing_of_what_is_neither(part: int, total: int, text: str) -> None:
    assert filters.share(part, total).replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_time_is_in_utc_to_the_second_and_one_that_is_in_no_year_is_said_to_be_unknown() -> None:
    assert (
        filters.moment(1_764_000_000_999)
        == '<time datetime="2025-11-24T16:00:00Z">2025-11-24 16:00:00</time>'
    )
    assert filters.minute(1_764_000_000) == '<time datetime="2025-11-24T16:00:00Z">2025-11-24 16:00</time>'
    assert filters.moment(10**18) == "not known"
    assert filters.moment_of("2025-11-24T16:00:00.123Z").endswith("2025-11-24 16:00:00</time>")


def test_foreign_text_is_made_printable_and_short_and_what_is_markup_stays() -> None:
    assert filters.shown(BIDI) == "\\u202eabc"
    assert len(str(filters.shown("x" * 9999))) < 400
    assert len(filters.brief("x" * 9999)) < 120
    assert filters.shown(Markup("<b>")) == "<b>"
    assert filters.shown(7) == 7


def test_a_command_is_never_cut() -> None:
    assert filters.whole("x" * 5000) == "x" * 5000
    assert filters.whole("a < b \x1b") == "a &lt; b \\x1b"


def test_an_error_becomes_a_sentence() -> None:
    assert filters.sentence("no answer") == "no answer."
    assert filters.sentence("no answer.") == "no answer."


def test_a_pace_is_never_above_the_one_that_was_asked_for() -> None:
    assert filters.pace(run(took_ms=5_800, calls=30, rate=5.0)) == "5.00"
    assert filters.pace(run(took_ms=0, calls=0)) == "0"


def test_lines_become_path_data() -> None:
    assert filters.steps([((1.0, 2.0), (3.25, 2.0)), ((5.0, 1.0), (6.0, 1.0))]) == "M1 2L3.2 2M5 1L6 1"
    assert filters.areas([((1.0, 2.0), (3.0, 2.0))], 9) == "M1 9L1 2L3 2L3 9"
