"""kill -9 again and again, at random moments, until the job is done; the sandbox's ledger is the judge."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]
LONGEST_LIFE_S = 1.5


def kill(command: Command, after_s: float) -> bool:
    """Start a run and kill it after a while; return whether it was still alive."""
    with command.flowreaper("delete", "--yes", "--rate", "50", "flows.txt") as process:
        time.sleep(after_s)
        process.kill()
        return ended(process).status == -signal.SIGKILL


def finals(command: Command) -> dict[str, str]:
    """Return the flows that `results` shows as final."""
    path = command.folder / "flows.txt.ckpt"
    if not path.exists() or path.stat().st_size == 0:
        return {}
    shown = command.finish("flowreaper", "results", "flows.txt.ckpt")
    if shown.status:  # killed before the file's first transaction
        return {}
    return {r["flow_id"]: r["state"] for r in shown.records if r["state"] not in ("pending", "claimed")}


def survive(begin: Begin, ids: Ids, *, kills: int, flow_count: int, seed: int) -> None:
    service, command = begin("--latency", "0.05", "--trouble", "reset-after:0.05", "--seed", str(seed))
    luck = random.Random(seed)  # noqa: S311 -- to be repeated
    flows = ids(flow_count)
    command.write("flows.txt", *flows)
    shown: dict[str, str] = {}
    survived = 0
    for _ in range(kills):
        before = Counter(service.called(list(shown)))
        survived += kill(command, luck.uniform(0.1, LONGEST_LIFE_S))
        assert Counter(service.called(list(shown))) == before, (
            "a flow that was shown as final was called again"
        )
        now = finals(command)
        assert shown.items() <= now.items()
        shown = now
    assert survived == kills
    before = Counter(service.called(list(shown)))
    assert command.delete("flows.txt").status == 0
    assert Counter(service.called(list(shown))) == before
    records = command.results("flows.txt.ckpt")
    assert sorted(records) == flows
    assert {record["state"] for record in records.values()} == {"deleted"}
    calls = service.ledger()
    assert Counter(c["flow_id"] for c in calls if c["deleted"]) == Counter(flows)
    # Whoever heard OK says so; whose answer was lost, by kill or by reset, is deleted by inference.
    unheard = {flow for flow, record in records.items() if record["inferred"]}
    assert unheard == {flow for flow, record in records.items() if record["code"] != "OK"}
    assert unheard
    assert unheard <= {flow for flow, count in Counter(service.called(flows)).items() if count > 1}


def test_whenever_a_kill_comes_a_lost_log_is_noticed_or_held_nothing(begin: Begin, ids: Ids) -> None:
    service, command = begin("--latency", "0.05")
    luck = random.Random(22)  # noqa: S311 -- to be repeated
    flows = ids(400)
    command.write("flows.txt", *flows)
    path = command.folder / "flows.txt.ckpt"
    log = command.folder / "flows.txt.ckpt-wal"
    refused = 0
    for _ in range(6):
        kill(command, luck.uniform(0.1, LONGEST_LIFE_S))
        before = finals(command)
        if not log.exists():
            continue
        kept = log.rename(command.folder / "kept")
        (command.folder / "flows.txt.ckpt-shm").unlink(missing_ok=True)
        called = len(service.called(flows))
        finished = command.run("delete", "-y", "--limit", "1", "flows.txt")
        if finished.status == 2:
            refused += 1
            assert len(service.called(flows)) == called
            kept.rename(log)
        assert before.items() <= finals(command).items()
    assert refused >= 3
    assert command.delete("flows.txt").status == 0
    assert {record["state"] for record in command.results(path.name).values()} == {"deleted"}


def test_eight_kills_at_random_moments_lose_nothing_and_repeat_nothing(begin: Begin, ids: Ids) -> None:
    survive(begin, ids, kills=8, flow_count=400, seed=20)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_kills_lose_nothing_and_repeat_nothing(begin: Begin, ids: Ids) -> None:
    survive(begin, ids, kills=200, flow_count=8000, seed=21)
