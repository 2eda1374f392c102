"""How often Python's garbage collector looks while the real command works, and what it would find."""

import json
import sys
from collections.abc import Callable

from tests.end_to_end.command import Command

Ids = Callable[[int], list[str]]

FLOWS = 2000
# The command, which says at the job's end how often the collector looked meanwhile, and how many objects the
# job left in reference cycles.
COUNTING = """
import gc, json
from flowreaper.cli import main
from flowreaper.job.run import Run

def total(what):
    return sum(generation[what] for generation in gc.get_stats())

finish = Run.run

async def counted(run):
    looks, found = total("collections"), total("collected")
    summary = await finish(run)
    looks = total("collections") - looks
    gc.collect()
    print(json.dumps({"looks": looks, "in_cycles": total("collected") - found}))
    return summary

Run.run = counted
main()
"""


def test_calls_make_no_reference_cycles_and_the_collector_seldom_looks_for_them(
    command: Command, ids: Ids
) -> None:
    command.write("ids.txt", *ids(FLOWS))
    words = ("delete", "--yes", "--rate", "100000", "--concurrency", "50", "ids.txt")
    done = command.finish(sys.executable, "-c", COUNTING, *words)
    assert command.states("ids.txt.ckpt") == {"deleted": FLOWS}
    found = json.loads(done.out)
    assert found["looks"] <= 2  # some 45 with the interpreter's own settings
    assert found["in_cycles"] < FLOWS / 2
