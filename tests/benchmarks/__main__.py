"""Every figure beside its target and its peers: ``python -m tests.benchmarks [--quick] [--only NAME]``.

Sandboxes and clients run as processes of their own. The whole takes some eleven minutes, --quick
under two: it has fewer flows and runs.
"""

import argparse
import os
import platform
import sys
import time

from tests.benchmarks import cost, pace, size
from tests.benchmarks.figure import table

_GROUPS = {"cost": cost.measure, "size": size.measure, "pace": pace.measure}


def main() -> int:
    """Measure, print the table, and return 1 where a figure misses its target."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--only", choices=_GROUPS, help="only this group of figures")
    arguments = parser.parse_args()
    began = time.monotonic()
    figures = []
    for name, measure in _GROUPS.items():
        if arguments.only in (None, name):
            sys.stderr.write(f"{name} ...\n")
            figures += measure(quick=arguments.quick)
    machine = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    missed = sum(not figure.holds for figure in figures)
    sys.stdout.write(
        f"{table(figures)}\n\n{machine}; {cost.CONCURRENCY} calls at once in the CPU figures;"
        f" {time.monotonic() - began:.0f} s; {missed} of {len(figures)} missed\n"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
