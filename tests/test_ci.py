"""Which interpreters the suite runs on: what .ci/pythons finds on PATH."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PYTHONS = Path(__file__).parents[1] / ".ci" / "pythons"
WORKS = f'exec {shlex.quote(sys.executable)} "$@"'
# As a shim of pyenv does for a version that is not switched on.
SHIM = "echo 'pyenv: command not found' >&2; exit 127"
TOO_OLD = f'exec {shlex.quote(sys.executable)} -c "import sys; sys.exit(1)"'


@pytest.mark.parametrize(
    ("commands", "found"),
    [
        ({"python3": WORKS}, ["python3"]),
        ({"python3": WORKS, "python3.11": WORKS}, ["python3.11"]),
        ({"python3.11": WORKS, "python3.12": WORKS, "python3.13": WORKS}, ["python3.11", "python3.13"]),
        ({"python3.11": SHIM, "python3.12": WORKS, "python3.13": WORKS, "python3.14": SHIM}, ["python3.12", "python3.13"]),
        ({"python3": WORKS, "python3.13": SHIM}, ["python3"]),
        ({"python3": TOO_OLD, "python3.14": WORKS}, ["python3.14"]),
        ({"python3": TOO_OLD}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_the_oldest_and_the_newest_python_that_work_are_found(
    tmp_path: Path, commands: dict[str, str], found: list[str]
) -> None:
    for name, line in commands.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", str(PYTHONS)], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == found
    assert done.returncode == (0 if found else 1)
    assert ("no Python 3.11 or newer was found" in done.stderr) is not bool(found)
