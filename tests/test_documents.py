"""What the documents for contributors name exists: files, folders and tests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "flowreaper"
CONTRIBUTING = ".github/CONTRIBUTING.md"
GUIDE = ".github/GUIDE.md"
DOCUMENTS = ("tests/README.md", "tests/benchmarks/README.md", CONTRIBUTING)
TREE = re.compile(r"^```text\nflowreaper/\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w.-]*/[\w./-]*|[\w.-]+\.(?:py|md|toml)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def named(text: str) -> Iterator[tuple[str, str]]:
    """Yield each path that is quoted, with the test behind its ``::``, or with nothing."""
    for match in CODE.finditer(FENCE.sub("", text)):
        path, _, test = match[1].partition("::")
        if PATH.fullmatch(path):
            yield path, test


def tree(text: str) -> Iterator[str]:
    """Yield each path of the package's tree; two blanks a level, a name that ends with a slash is a folder."""
    found = TREE.search(text)
    assert found, "there is no tree"
    folders: list[str] = []
    for line in found[1].splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        folders[depth:] = [name] if name.endswith("/") else []
        yield "".join(folders[:depth]) + name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_test_that_a_document_names_exists(document: str) -> None:
    found = list(named(text_of(document)))
    assert found
    for path, test in found:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in text_of(path), f"{path}::{test}"


@pytest.mark.parametrize("document", ["README.md", GUIDE, *DOCUMENTS])
def test_every_link_of_a_document_leads_to_a_file(document: str) -> None:
    for link in LINK.findall(text_of(document)):
        assert ((ROOT / document).parent / link).exists(), link


def test_every_path_of_the_tree_exists() -> None:
    assert [path for path in tree(text_of(CONTRIBUTING)) if not (PACKAGE / path).exists()] == []


def test_the_tree_names_every_folder_and_module_of_the_package() -> None:
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    wanted = {f"{module.parent}/" if module.name == "__init__.py" else str(module) for module in modules}
    assert sorted(wanted - {"./"} - set(tree(text_of(CONTRIBUTING)))) == []


def test_what_is_quoted_and_what_is_in_a_tree_is_found() -> None:
    text = (
        "`pytest -n 0 a/b.py`, `a/b.py::test_c` and `tests/`; not `--rate`, [x](y)\n"
        "```text\nflowreaper/\n  model.py    values\n  cli/\n    terminal/    people\n      log.py\n  api.py\n```\n"
    )
    assert list(named(text)) == [("a/b.py", "test_c"), ("tests/", "")]
    assert list(tree(text)) == ["model.py", "cli/", "cli/terminal/", "cli/terminal/log.py", "api.py"]
