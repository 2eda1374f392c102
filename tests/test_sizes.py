"""How long a file, a class and a function of the package may be, and how wide what they say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "flowreaper").rglob("*.py"))
FILE, CLASS, FUNCTION = 300, 200, 50
"""Lines at most, docstrings included."""
WIDTH = 120
"""Characters at most of a line in a docstring or of a comment."""


def too_long(text: str) -> Iterator[str]:
    """Yield what of a module is too long, and how long it is."""
    if (lines := len(text.splitlines())) > FILE:
        yield f"file: {lines}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
                yield f"{node.name}: {lines}"


def too_wide(text: str) -> Iterator[int]:
    """Yield the numbers of the lines of docstrings and comments that are too wide; the formatter leaves these alone."""
    words = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > WIDTH and (number in words or line.lstrip().startswith("#")):
            yield number


@pytest.mark.parametrize("module", MODULES)
def test_no_docstring_and_no_comment_is_too_wide(module: str) -> None:
    assert not list(too_wide((ROOT / module).read_text(encoding="utf-8")))


def test_what_is_a_character_too_wide_is_found() -> None:
    widest = "x" * (WIDTH - 4)
    for text in (f'"""{widest}\n"""\n', f'"""Head.\n\n{widest}    \n"""\n', f"#   {widest}\n"):
        assert list(too_wide(text)) == []
        assert len(list(too_wide(text.replace(widest, f"{widest}xxxxx")))) == 1


@pytest.mark.parametrize("module", MODULES)
def test_no_file_class_or_function_is_too_long(module: str) -> None:
    assert not list(too_long((ROOT / module).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("head", "most", "found"),
    [
        ("class A:", CLASS, f"A: {CLASS + 1}"),
        ("def a():", FUNCTION, f"a: {FUNCTION + 1}"),
        ("async def a():", FUNCTION, f"a: {FUNCTION + 1}"),
        ("", FILE, f"file: {FILE + 1}"),
    ],
)
def test_what_is_a_line_too_long_is_found(head: str, most: int, found: str) -> None:
    body = " x = 1\n" if head else "x = 1\n"
    assert list(too_long(f"{head}\n" + (most - 1) * body)) == []
    assert list(too_long(f"{head}\n" + most * body)) == [found]
