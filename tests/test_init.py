"""The public names: one list, and complete: what a public signature needs is public."""

import ast
import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

import flowreaper
from flowreaper import errors

SOURCE = Path(flowreaper.__file__)


def imports_for_type_checkers() -> dict[str, str]:
    """Return the names that stand under TYPE_CHECKING, each with its module."""
    (block,) = (
        node
        for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    )
    found: dict[str, str] = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            # `as` makes it public for type checkers.
            assert alias.asname == alias.name
            found[alias.name] = str(node.module)
    return found


def own_types(hint: object) -> Iterator[type]:
    """Yield the classes of flowreaper that a type hint names, at any depth."""
    if isinstance(hint, type) and hint.__module__.startswith("flowreaper"):
        yield hint
    for inner in get_args(hint):
        # The parameters of a Callable are a list.
        for one in inner if isinstance(inner, list) else [inner]:
            yield from own_types(one)


def hints_of(public: object) -> Iterator[object]:
    """Yield the type hints that a user of a public name meets: parameters, results, fields, properties."""
    if not isinstance(public, type):
        yield from get_type_hints(public).values()
        return
    if dataclasses.is_dataclass(public) or hasattr(public, "_fields"):
        yield from get_type_hints(public).values()
    for name, member in vars(public).items():
        if name.startswith("_") and name != "__init__":
            continue
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function):
            yield from get_type_hints(function).values()


def test_the_imports_for_type_checkers_are_the_names_and_homes_of_the_list() -> None:
    assert imports_for_type_checkers() == {
        name: f"flowreaper.{home}" for home, names in flowreaper._HOMES.items() for name in names
    }
    assert sorted(imports_for_type_checkers()) == list(flowreaper.__all__)


@pytest.mark.parametrize("name", flowreaper.__all__)
def test_every_public_name_is_found_where_it_was_defined(name: str) -> None:
    public = getattr(flowreaper, name)
    assert public.__module__ == imports_for_type_checkers()[name]
    assert public is getattr(import_module(public.__module__), name)


@pytest.mark.parametrize("name", flowreaper.__all__)
def test_every_name_that_a_public_signature_needs_is_public(name: str) -> None:
    needed = {own.__name__ for hint in hints_of(getattr(flowreaper, name)) for own in own_types(hint)}
    assert needed <= set(flowreaper.__all__)


def test_the_check_looks_into_unions_callables_and_collections() -> None:
    hints: list[Any] = list(get_type_hints(flowreaper.delete_flows).values())
    assert any(get_origin(hint) in (Union, UnionType) for hint in hints)
    found = {own.__name__ for hint in hints for own in own_types(hint)}
    assert found >= {"Credentials", "Log", "Settings", "Stream", "Summary"}


def test_every_error_is_public() -> None:
    raised = {
        name
        for name, member in vars(errors).items()
        if isinstance(member, type) and issubclass(member, Exception)
    }
    assert raised <= set(flowreaper.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flowreaper' has no attribute 'Nothing'"):
        flowreaper.Nothing  # type: ignore[attr-defined] # noqa: B018 -- the look-up is the test
    assert set(flowreaper.__all__) <= set(dir(flowreaper))


def test_importing_the_package_imports_none_of_its_modules_but_the_version() -> None:
    program = (
        "import sys, flowreaper; print(*(name for name in sys.modules if name.startswith('flowreaper.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=SOURCE.parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["flowreaper.version"]
