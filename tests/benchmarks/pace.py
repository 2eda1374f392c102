"""The pace as the service sees it: sandboxes that count arrivals, real clients, real time."""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from flowreaper.limiter.sliding_window import Pace
from tests.benchmarks.arrivals import FOREIGN_ID, TOLERANCE_S, Runs, Seen, seen
from tests.benchmarks.figure import Figure
from tests.benchmarks.process import PEERS, SENDS, Service, delete, run, sandbox, write_ids
from tests.benchmarks.simulation import Setting, Trace, recovery_s, simulate
from tests.end_to_end.command import FLOWREAPER

_AT_ONCE, _AT_ONCE_QUICKLY, _AT_ONCE_ALONE = 5, 16, 3
_APART_S = 0.7
_RECOVERED_PER_S = 4.8


def one_client(options: Sequence[str], flows: int, peer: str = "") -> Seen:
    """Let flowreaper, or a peer, delete so many flows, alone."""
    with tempfile.TemporaryDirectory() as name, sandbox("--latency", "0.02", *options) as service:
        folder = Path(name)
        ids = str(write_ids(folder / "ids.txt", flows))
        run(_words(ids, peer), service.environment, folder)
        return seen(service.calls())


def guarded(flows: int) -> Seen:
    """Let flowreaper delete this many flows, each looked at, in use by no template, and saved before."""
    with tempfile.TemporaryDirectory() as name, sandbox("--window", "sliding", "--latency", "0.1") as service:
        folder = Path(name)
        ids = str(write_ids(folder / "ids.txt", flows))
        run(delete("--only-drafts", "--keep-used", "--backup", "saved", ids), service.environment, folder)
        return seen(service.calls())


def sends(flows: int) -> Seen:
    """Let flowreaper delete so many flows; return when the calls left, as nothing was refused."""
    with tempfile.TemporaryDirectory() as name, sandbox("--latency", "0.02", "--window", "none") as service:
        folder = Path(name)
        ids = str(write_ids(folder / "ids.txt", flows))
        run((*SENDS, "sends.txt", *delete(ids)[len(FLOWREAPER) :]), service.environment, folder)
        times = [float(line) for line in (folder / "sends.txt").read_text(encoding="ascii").split()]
    return Seen(times, times)


def beside_another(flows: int, foreign_s: float, peer: str = "") -> tuple[Seen, Seen, float]:
    """Let flowreaper, or a peer, delete beside a client that spends 2/s for so many seconds.

    Returns what was seen until that client stopped, what was seen in all, and when it stopped.
    """
    with tempfile.TemporaryDirectory() as name, sandbox(*_sliding(0.02)) as service:
        folder = Path(name)
        ids = str(write_ids(folder / "ids.txt", flows))
        words = (*PEERS, "foreign", "2", str(foreign_s))
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(run, words, service.environment, folder)
            run(_words(ids, peer), service.environment, folder)
            calls = service.calls()
            other.result()
    stopped = max(call["at_s"] for call in calls if call["flow_id"].startswith(FOREIGN_ID))
    return seen([call for call in calls if call["at_s"] <= stopped]), seen(calls), stopped


def two_runs(flows: int, peer: str = "") -> Seen:
    """Let two runs, or two of a peer, share an account's quota; return what both did while both ran."""
    with tempfile.TemporaryDirectory() as name, sandbox(*_sliding(0.02)) as service:
        firsts = (10**15, 2 * 10**15)
        with ThreadPoolExecutor(len(firsts)) as pool:
            runs = [pool.submit(_one_of_two, service, Path(name) / str(n), flows, n, peer) for n in firsts]
            for finished in runs:
                finished.result()
        calls = service.calls()
    both = [max(c["at_s"] for c in calls if c["flow_id"][0] == str(first)[0]) for first in firsts]
    return seen([call for call in calls if call["at_s"] <= min(both)])


def _one_of_two(service: Service, folder: Path, flows: int, first: int, peer: str) -> None:
    folder.mkdir()
    ids = str(write_ids(folder / "ids.txt", flows, first))
    run(_words(ids, peer), service.environment, folder)


def _words(ids: str, peer: str) -> Sequence[str]:
    return (*PEERS, peer, ids) if peer else delete(ids)


def _sliding(jitter_s: float) -> tuple[str, ...]:
    return ("--window", "sliding", "--jitter", str(jitter_s), "--latency", "0.02")


def measure(*, quick: bool) -> list[Figure]:
    """Run several figures at once: they sleep nearly all of the time.

    Those that are about milliseconds come first and alone, but for `quick`: a program that starts takes the
    machine from them.
    """
    flows, beside, rounds = (220, 150, 1) if quick else (220, 220, 3)
    jittered = ("--jitter", "0.05")
    alone: dict[str, Callable[[], Seen]] = {
        "sends": lambda: sends(flows),
        "none": lambda: one_client(("--window", "none"), flows),
        "150": lambda: one_client(("--window", "none"), 150),
    }
    own: dict[str, Callable[[], Seen]] = {
        # The longest first.
        "beside": lambda: beside_another(beside, beside / 2.5)[0],
        "two": lambda: two_runs(flows // 2),
        "fixed": lambda: one_client(("--window", "fixed", *jittered), flows),
        "bucket": lambda: one_client(("--window", "bucket", *jittered), flows),
        "sliding 0": lambda: one_client(("--window", "sliding"), flows),
        "guarded": lambda: guarded(flows),
        "sliding 50": lambda: one_client(("--window", "sliding", *jittered), flows),
    }
    peers: dict[str, Callable[[], Seen]] = {
        "even none": lambda: one_client(("--window", "none"), flows, "even"),
        "even sliding 50": lambda: one_client(("--window", "sliding", *jittered), flows, "even"),
        "even sliding 0": lambda: one_client(("--window", "sliding"), flows, "even"),
        "even beside": lambda: beside_another(beside, beside / 2.5, "even")[0],
        "even two": lambda: two_runs(flows // 2, "even"),
        "burst fixed": lambda: one_client(("--window", "fixed", *jittered), flows, "burst"),
        "burst bucket": lambda: one_client(("--window", "bucket", *jittered), flows, "burst"),
    }
    found: dict[str, list[Future[Seen]]] = {}
    if quick:
        own = alone | own
    else:
        with ThreadPoolExecutor(_AT_ONCE_ALONE) as pool:
            found = {name: _submit(pool, work, rounds) for name, work in alone.items()}
    with ThreadPoolExecutor(_AT_ONCE_QUICKLY if quick else _AT_ONCE) as pool:
        recovering = None if quick else pool.submit(beside_another, 420, 60.0)
        found |= {name: _submit(pool, work, rounds) for name, work in own.items()}
        found |= {name: _submit(pool, work, 1) for name, work in peers.items()}
        results = {name: Runs([work.result() for work in works]) for name, works in found.items()}
        recovered = recovering.result() if recovering else None
    figures = _figures(results)
    if recovered:
        figures.append(_recovery(*recovered[1:]))
    return figures + simulated()


def _submit(pool: ThreadPoolExecutor, work: Callable[[], Seen], times: int) -> list[Future[Seen]]:
    started = []
    for _ in range(times):
        started.append(pool.submit(work))
        # A program that starts takes the machine from those whose pace is being measured.
        time.sleep(_APART_S)
    return started


def _figures(found: dict[str, Runs]) -> list[Figure]:
    even, burst = "SDK, AsyncLimiter(1, 0.2)", "SDK, AsyncLimiter(5, 1)"
    none = found["none"]
    figures = [
        _goodput("not counted", none, 4.98, found["even none"], even),
        Figure(
            "pace, not counted: most calls to leave in any second",
            found["sends"].most_in_a_second(),
            "calls",
            5,
        ),
        Figure(
            f"pace, not counted: most calls to arrive in any second, less {1000 * TOLERANCE_S:.0f} ms",
            none.most_in_a_second(TOLERANCE_S),
            "calls",
            peer=found["burst fixed"].most_in_a_second(TOLERANCE_S),
            peer_name=burst,
        ),
        Figure("pace, 150 ids: off 29.8 s by", abs(found["150"].seconds - 29.8), "s", 0.3),
    ]
    for name, key, peer_key, least, most in (
        ("fixed seconds, 50 ms jitter", "fixed", "burst fixed", 4.95, 0.5),
        ("token bucket, 50 ms jitter", "bucket", "burst bucket", 4.95, 0.5),
        ("sliding second", "sliding 0", "even sliding 0", 4.90, 2),
        ("sliding second, 50 ms jitter", "sliding 50", "even sliding 50", 4.65, 2),
    ):
        peer_name = burst if peer_key.startswith("burst") else even
        figures += _both(name, found[key], least=least, most=most, peer=found[peer_key], peer_name=peer_name)
    figures += _both(
        "sliding second, each flow looked at and saved", found["guarded"], least=4.90, most=2, peer=None
    )
    for name, key, least, most in (
        ("sliding second, another client spends 2/s", "beside", 2.7, 8),
        ("sliding second, two runs on this machine together", "two", 4.3, 10),
    ):
        peer = found[f"even {key}"]
        figures += _both(name, found[key], least=least, most=most, peer=peer, peer_name=even)
    return figures


def _both(
    name: str, own: Runs, *, least: float, most: float, peer: Runs | None = None, peer_name: str = ""
) -> list[Figure]:
    throttled = None if peer is None else peer.throttled_percent
    return [
        _goodput(name, own, least, peer, peer_name),
        Figure(
            f"pace, {name}: throttled",
            own.throttled_percent,
            "%",
            most,
            peer=throttled,
            peer_name=peer_name,
        ),
    ]


def _goodput(name: str, own: Runs, least: float, peer: Runs | None, peer_name: str) -> Figure:
    goodput = None if peer is None else peer.goodput
    return Figure(
        f"pace, {name}: goodput",
        own.goodput,
        "/s",
        least,
        at_least=True,
        peer=goodput,
        peer_name=peer_name,
    )


def _recovery(own: Seen, stopped_at: float) -> Figure:
    # Ten seconds at an even 4.8/s hold 48 calls.
    for first, at in enumerate(own.admitted[:-48]):
        if at >= stopped_at and own.admitted[first + 48] - at <= 48 / _RECOVERED_PER_S:
            return Figure("pace, back above 4.8/s after the other client stopped", at - stopped_at, "s", 60)
    return Figure("pace, back above 4.8/s after the other client stopped", float("inf"), "s", 60)


def simulated() -> list[Figure]:
    """Return the figures of simulated time: medians over seeds."""
    hour = Setting("sliding", jitter_s=0.05, seconds=3600)
    hours = [simulate([Pace(5)], hour, seed) for seed in range(5)]
    stopping = Setting("sliding", jitter_s=0.02, seconds=240, other_clients_rate=2, other_client_until_s=120)
    back = [recovery_s(simulate([Pace(5)], stopping, seed), 120) for seed in range(20)]
    apart = Setting("sliding", jitter_s=0.02, flows=440)
    strangers = [simulate([Pace(5), Pace(5)], apart, seed) for seed in range(20)]
    return [
        *_medians("simulated hour, sliding second, 50 ms jitter", hours, least=4.72, most=0.5),
        *_medians(
            "simulated: two runs on two machines together, 220 flows each", strangers, least=4.3, most=10
        ),
        Figure("simulated: back above 4.8/s after the other client stopped, worst of 20", max(back), "s", 60),
    ]


def _medians(name: str, traces: Sequence[Trace], *, least: float, most: float) -> list[Figure]:
    goodput = statistics.median(trace.goodput for trace in traces)
    throttled = statistics.median(trace.throttled_share for trace in traces)
    return [
        Figure(f"{name}: goodput", goodput, "/s", least, at_least=True),
        Figure(f"{name}: throttled", 100 * throttled, "%", most),
    ]
