"""Who may know whom: the contracts of pyproject.toml, and what they cannot say."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "flowreaper"
# Relative names, such as cli/delete.py.
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
# Rules: they take values, and touch neither the world nor its clock.
PURE = (
    "cli/times.py",
    "model.py",
    "durations.py",
    "errors.py",
    "escaping.py",
    "producer/formats.py",
    "producer/lines.py",
    "producer/json_stream.py",
    "producer/csv_records.py",
    "producer/encoding.py",
    "producer/fields.py",
    "producer/flow_ids.py",
    "producer/items.py",
    "limiter/adaptive.py",
    "limiter/sliding_window.py",
    "limiter/fair_share.py",
    "limiter/shared_pace.py",
    "workers/backlog.py",
    "workers/stop_rules.py",
    "workers/circuit_breaker.py",
    "workers/attempts.py",
    "client/actions.py",
    "client/asset_url.py",
    "client/codes.py",
    "client/meanings.py",
    "client/endpoint.py",
    "client/messages.py",
    "client/profiles.py",
    "client/redaction.py",
    "client/signing.py",
    "job/max_delete.py",
    "report/buckets.py",
    "report/filters.py",
    "report/outcomes.py",
    "report/plot.py",
    "report/result_list.py",
    "report/run_sum.py",
    "report/strips.py",
    "report/ticks.py",
    "report/time_axis.py",
    "safeguards/backup_entry.py",
    "safeguards/backup_readme.py",
    "sandbox/account.py",
    "sandbox/answer.py",
    "sandbox/assets.py",
    "sandbox/flow.py",
    "sandbox/operations.py",
    "sandbox/paging.py",
    "sandbox/service.py",
    "sandbox/template.py",
    "sandbox/undocumented.py",
    "sink/formats.py",
    "sink/results_note.py",
    "store/history.py",
    "store/overview.py",
    "store/records.py",
    "store/selection.py",
    "store/sqlite/causes.py",
    "store/sqlite/columns.py",
    "store/sqlite/history.py",
    "store/sqlite/known_flows.py",
    "store/sqlite/listed_flows.py",
    "store/sqlite/network_fs.py",
    "store/sqlite/rows.py",
    "store/sqlite/schema.py",
    "store/sqlite/states.py",
    "store/sqlite/statements.py",
    "cli/flow_formats.py",
    "store/sqlite/verifications.py",
    "store/verification.py",
    "cli/terminal/estimate.py",
    "cli/terminal/layout.py",
    "cli/terminal/lines.py",
    "cli/terminal/listing.py",
    "cli/terminal/plan.py",
    "cli/terminal/progress.py",
    "cli/terminal/restore.py",
    "cli/terminal/safeguards.py",
    "cli/terminal/sentences.py",
    "job/flow_rules.py",
    "cli/terminal/verify.py",
    "job/check_result.py",
    "job/ledger.py",
    "job/settings.py",
    "job/summary.py",
)
# Modules of the standard library that touch the world or its clock.
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
        ("model", "escaping"),  # the foundation has an order, too
        ("client/client", "limiter.limiter"),  # what is below knows no stage
        ("limiter/limiter", "workers.pool"),  # no stage knows another
        ("sink/sink", "store.sqlite.checkpoint"),  # nor the checkpoint's file
        ("workers/pool", "client.client"),  # of the service, the workers know the codes
        ("producer/files", "job.run"),  # wiring is above all
        ("job/run", "cli.commands.delete"),  # and the entry points are above it
        ("sandbox/api", "client.codes"),  # the judge of the client shares nothing with it
        ("sandbox/api", "client.client"),
    ],
)
def test_an_import_that_breaks_a_contract_is_found(copy: Path, module: str, forbidden: str) -> None:
    with (copy / "flowreaper" / f"{module}.py").open("a", encoding="utf-8") as file:
        file.write(f"\nimport flowreaper.{forbidden}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"flowreaper.{module.replace('/', '.')} -> flowreaper.{forbidden}" in done.stdout


def test_a_cycle_within_a_folder_is_found(copy: Path) -> None:
    with (copy / "flowreaper" / "client" / "signing.py").open("a", encoding="utf-8") as file:
        file.write("\nimport flowreaper.client.messages\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "No cycles within a folder BROKEN" in done.stdout


def test_a_module_without_a_layer_is_found(copy: Path) -> None:
    (copy / "flowreaper" / "utils.py").write_text('"""Things."""\n', encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "utils" in done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_at_its_head_what_may_live_there(module: str) -> None:
    assert ast.get_docstring(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", PURE)
def test_rules_are_pure(module: str) -> None:
    text = (PACKAGE / module).read_text(encoding="utf-8")
    assert not IMPURE & {imported.partition(".")[0] for imported in imports_of(module)}
    awaits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not any(isinstance(node, awaits) for node in ast.walk(ast.parse(text)))


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_imports_nothing_that_is_slow(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from flowreaper.cli import main\n"
        "sys.argv[1:] = sys.argv[2:]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "flowreaper", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stderr.split())
    assert "click" in imported
    assert not {"rich", "jinja2", "sqlite3", "aiohttp", "structlog", "asyncio"} & imported


def test_no_module_that_a_host_may_use_touches_its_garbage_collector() -> None:
    assert [module for module in MODULES if "gc" in imports_of(module)] == ["cli/gc_tuning.py"]
