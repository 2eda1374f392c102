"""Who may know whom: the contracts of pyproject.toml, and what they cannot say."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "flowreaper"
# Relative names, such as cli/delete.py.
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
HEART = ("absences", "backlog", "engine", "outage", "settlement", "sink")
GROUND = ("errors", "escaping", "model")
# Modules of the standard library that touch the world or its clock; rules and ground take values instead.
IMPURE = {
    "asyncio",
    "logging",
    "os",
    "random",
    "select",
    "signal",
    "socket",
    "subprocess",
    "sys",
    "threading",
    "time",
}
LINTER = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def layers() -> list[set[str]]:
    """Return the layers of pyproject.toml from the top down, each as the names of its modules."""
    tables = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in tables["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [set(layer.replace(":", "|").replace(" ", "").split("|")) for layer in contract["layers"]]


def rules() -> set[str]:
    return next(layer for layer in layers() if "signing" in layer)


def imports_of(module: str) -> Iterator[str]:
    """Yield what a module imports, wherever in it, as dotted names; of a package's members each one."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} has a relative import"
            inner = node.module == "flowreaper"
            yield from (f"flowreaper.{alias.name}" for alias in node.names) if inner else (node.module or "",)


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LINTER],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(directory), "PATH": "", "LC_ALL": "C.UTF-8", "TERM": "dumb"},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that may be spoilt."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "flowreaper", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_import_keeps_the_contracts() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("model", "escaping"),  # ground knows ground below it alone
        ("signing", "client"),  # a rule knows no edge
        ("client", "limiter"),  # an edge knows no other edge
        ("sink", "checkpoint"),  # the heart knows no edge
        ("checkpoint", "engine"),  # nor an edge the heart
        ("producer", "job"),  # wiring is above all
        ("job", "cli.delete"),  # and the doors are above it
        ("sandbox/api", "verdict"),  # the judge of the client shares nothing with it
        ("sandbox/api", "client"),
    ],
)
def test_an_import_that_breaks_a_contract_is_found(copy: Path, module: str, forbidden: str) -> None:
    with (copy / "flowreaper" / f"{module}.py").open("a", encoding="utf-8") as file:
        file.write(f"\nimport flowreaper.{forbidden}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"flowreaper.{module.replace('/', '.')} -> flowreaper.{forbidden}" in done.stdout


def test_every_module_has_its_place_in_one_layer() -> None:
    placed = [name for layer in layers() for name in layer]
    existing = {Path(module).parts[0].removesuffix(".py") for module in MODULES} - {"__init__"}
    assert sorted(placed) == sorted(existing)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_at_its_head_what_may_live_there(module: str) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", HEART)
def test_the_heart_knows_the_standard_library_rules_and_ground(name: str) -> None:
    below = {f"flowreaper.{known}" for known in (*HEART, *GROUND, *rules())}
    strangers = {
        imported
        for imported in imports_of(f"{name}.py")
        if imported not in below and imported.partition(".")[0] not in sys.stdlib_module_names
    }
    assert not strangers


@pytest.mark.parametrize("name", sorted(rules() | set(GROUND)))
def test_rules_and_ground_are_pure(name: str) -> None:
    text = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    assert not IMPURE & {imported.partition(".")[0] for imported in imports_of(f"{name}.py")}
    awaits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, awaits) for node in ast.walk(ast.parse(text)))


def test_no_module_that_a_host_may_use_touches_its_garbage_collector() -> None:
    assert [module for module in MODULES if "gc" in imports_of(module)] == ["cli/collector.py"]
