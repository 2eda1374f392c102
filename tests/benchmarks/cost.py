"""What a deletion costs: CPU, and how many a second one core is good for."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.benchmarks.process import (
    PEERS,
    Service,
    Usage,
    answerer,
    delete,
    run,
    sandbox,
    tls_sandbox,
    write_ids,
)

Program = Callable[[str], Sequence[str]]
"""From a file of ids to the words of a command."""

_FLOWS = 4000
_SDK_CALLS = 100
_first_ids = count(10**15, 10**6)
# Each run has flows of its own: the sandbox forgets none.

CONCURRENCY = 50
"""Calls at once, the same for both."""


def measure(*, quick: bool) -> list[Figure]:
    """Measure over http and TLS, both sides in turn."""
    # A run differs from the next of the same by a tenth: as much as there is between figure and target.
    rounds = 1 if quick else 41
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sandbox("--window", "none", "--latency", "0") as service:
            figures += _side_by_side("http", service, folder, rounds)
        with answerer() as service:
            figures.append(_throughput(service, folder, min(rounds, 3)))
        with tls_sandbox(folder) as service:
            figures += _side_by_side("TLS", service, folder, rounds)
    return figures


def _side_by_side(scheme: str, service: Service, folder: Path, rounds: int) -> list[Figure]:
    own, bare = [], []
    for _ in range(rounds):
        own.append(_cpu_ms(service, folder, _own, _FLOWS))
        bare.append(_cpu_ms(service, folder, _bare, _FLOWS))
    sdk = _cpu_ms(service, folder, _sdk, _SDK_CALLS)
    per_call = statistics.median(own)
    # Of pairs that ran one after the other: the machine's other work, which comes and goes, is in both.
    ratio = statistics.median(mine / theirs for mine, theirs in zip(own, bare, strict=True))
    name = f"CPU a deletion, {scheme}"
    return [
        Figure(name, per_call, "ms", peer=statistics.median(bare), peer_name="bare aiohttp loop"),
        Figure(f"{name}: times the bare loop's, median of {rounds} pairs", ratio, "", 1.5),
        Figure(f"{name}, against the SDK", per_call, "ms", peer=sdk, peer_name="SDK"),
    ]


def _cpu_ms(service: Service, folder: Path, program: Program, flows: int) -> float:
    # A run of a single flow is taken off: starting up and ending cost the same there.
    many, one = (_run(service, folder, program, number).cpu_s for number in (flows, 1))
    return 1000 * (many - one) / (flows - 1)


def _run(service: Service, folder: Path, program: Program, flows: int, *, one_core: bool = False) -> Usage:
    ids = str(write_ids(folder / "ids.txt", flows, next(_first_ids)))
    (folder / "ids.txt.ckpt").unlink(missing_ok=True)
    return run(program(ids), service.environment, folder, one_core=one_core)


def _throughput(service: Service, folder: Path, rounds: int) -> Figure:
    own, bare = (
        statistics.median(_per_s(service, folder, program) for _ in range(rounds))
        for program in (_own, _bare)
    )
    return Figure(
        "flows a second end to end on one core, http",
        own,
        "/s",
        2000,
        at_least=True,
        peer=bare,
        peer_name="bare aiohttp loop",
    )


def _per_s(service: Service, folder: Path, program: Program) -> float:
    many, one = (_run(service, folder, program, number, one_core=True).wall_s for number in (_FLOWS, 1))
    return (_FLOWS - 1) / (many - one)


def _own(ids: str) -> Sequence[str]:
    return delete("--rate", "100000", "--concurrency", str(CONCURRENCY), ids)


def _bare(ids: str) -> Sequence[str]:
    return (*PEERS, "bare", ids, str(CONCURRENCY))


def _sdk(ids: str) -> Sequence[str]:
    return (*PEERS, "unpaced", ids)
