"""A call's own secrets in what came back: whole, cut, escaped, in pieces."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flowreaper.client.redaction import REDACTED, redact

TOKEN = "CAISjgJ1q6Ft5B2yfSjIr5bhJ/+kn6tX4LaIgWGXl0k="


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("The system is under flow control.", "The system is under flow control."),
        (TOKEN, REDACTED),
        (f"token: {TOKEN}, {TOKEN}", f"token: {REDACTED}, {REDACTED}"),
        (f"a {TOKEN.upper()} b", f"a {REDACTED} b"),
        (f"cut: {TOKEN[:20]}", f"cut: {REDACTED}"),
        (f"{TOKEN[-8:]} {TOKEN[3:11]}", f"{REDACTED} {REDACTED}"),
        (f"{TOKEN[:7]}", TOKEN[:7]),
        (TOKEN.replace("/", "\\/"), f"{REDACTED}\\{REDACTED}"),
        (f"ß{TOKEN}İ{TOKEN}", f"ß{REDACTED}i̇{REDACTED}"),
    ],
)
def test_every_piece_of_a_secret_is_taken_out(text: str, shown: str) -> None:
    assert redact(text, (TOKEN, "")) == shown


def test_a_short_secret_is_taken_out_where_it_stands_whole() -> None:
    assert redact("abc abcd bcd abcde", ("abcd",)) == f"abc {REDACTED} bcd {REDACTED}e"


@given(
    before=st.text(),
    after=st.text(),
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1),
)
def test_no_secret_is_left_in_any_text(before: str, after: str, secret: str) -> None:
    assume(secret.lower() not in REDACTED)
    assert secret not in redact(f"{before}{secret}{after}", (secret,)).replace(REDACTED, "\n")


@given(text=st.text(), secrets=st.lists(st.text(min_size=1)))
def test_a_text_without_any_piece_of_a_secret_is_kept(text: str, secrets: list[str]) -> None:
    pieces = [s.lower()[i : i + 8] for s in secrets for i in range(max(1, len(s) - 7))]
    assume(not any(piece in text.lower() for piece in pieces))
    assert redact(text, secrets) == text
