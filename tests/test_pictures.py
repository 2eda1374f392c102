"""README's picture of a run loads nothing and shows what a run shows."""

import html
import re

from tests.pictures import MOMENTS, PICTURE, TYPED, lines_of, shown, svg_of


def text_of(svg: str) -> str:
    return html.unescape(" ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg))).replace("\xa0", " ")


def labels(text: str) -> list[str]:
    return re.findall(r"  ([A-Z][a-z]+(?: [a-z]+)?:)  ", text)


def test_a_line_that_was_erased_or_written_over_is_not_shown() -> None:
    sent = "one\r\n10%\x1b[J\r\r\x1b[Jtwo\r\n20%\x1b[J\r\r30%\x1b[J\r"
    assert lines_of(sent) == ["one", "two", "30%"]


def test_a_picture_loads_nothing() -> None:
    svg = svg_of(["\x1b[1mone\x1b[0m"])
    assert "one" in text_of(svg)
    for picture in (svg, PICTURE.read_text(encoding="utf-8")):
        assert not re.search(r"@font-face|@import|<script|<image|href=|url\((?!#)", picture)


def test_the_picture_of_readme_shows_what_a_run_shows() -> None:
    picture = text_of(PICTURE.read_text(encoding="utf-8"))
    assert f"$ {TYPED}" in picture
    assert MOMENTS[-1] in picture
    run = text_of(svg_of(lines_of(shown(flows=400, rate=400, moments=MOMENTS[:1]))))
    assert labels(run)
    assert labels(picture) == labels(run), "python -m tests.pictures makes the picture anew"
