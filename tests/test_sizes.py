"""How long a file, a class and a function of the package may be: the rules of .github/CONTRIBUTING.md."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "flowreaper").rglob("*.py"))
FILE, CLASS, FUNCTION = 300, 200, 50
"""Lines at most, docstrings included."""


def too_long(text: str) -> Iterator[str]:
    """Yield what of a module is too long, and how long it is."""
    if (lines := len(text.splitlines())) > FILE:
        yield f"file: {lines}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > (CLASS if isinstance(node, ast.ClassDef) else FUNCTION):
                yield f"{node.name}: {lines}"


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
