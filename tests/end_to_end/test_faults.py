"""A service that misbehaves, goes away or has another clock: nothing lost, nothing blamed, an end that is told."""

import json
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.request import ProxyHandler, build_opener

from tests.end_to_end.command import Command, Service, ended, serve, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

# One call in five goes wrong by chance; each throttle slows the pace, so there are just two.
CHANCES = {
    "reset-before": 0.025,
    "reset-after": 0.025,
    "error-500": 0.025,
    "html-503": 0.025,
    "cut-body": 0.025,
    "garbage": 0.025,
    "empty": 0.025,
    "redirect": 0.015,
    "hang-before": 0.004,
    "hang-after": 0.004,
    "huge": 0.002,
}
NUMBERED = {"throttle": 500, "throttle-retry-after": 900}
SCRIPT = ",".join(
    [f"{kind}:{chance}" for kind, chance in CHANCES.items()]
    + [f"{kind}:#{number}" for kind, number in NUMBERED.items()]
)


def whole_ledger(service: Service) -> dict[str, Any]:
    with build_opener(ProxyHandler({})).open(f"{service.url}/ledger", timeout=30) as answer:
        ledger: dict[str, Any] = json.load(answer)
    return ledger


def test_1500_flows_with_one_call_in_five_going_wrong_are_all_deleted_and_recorded(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin("--trouble", SCRIPT, "--seed", "3")
    flows = ids(1500)
    command.write("flows.txt", *flows)
    finished = command.delete("--timeout", "1", "flows.txt")
    assert finished.status == 0, finished.err
    assert command.states("flows.txt.ckpt") == {"deleted": 1500}
    ledger = whole_ledger(service)
    deleted = Counter(call["flow_id"] for call in ledger["calls"] if call["deleted"])
    assert deleted == dict.fromkeys(flows, 1)
    met = Counter(call["trouble"] for call in ledger["calls"] if call["trouble"])
    assert set(met) == {*CHANCES, *NUMBERED}
    assert met.total() > 1500 / 6
    assert ledger["redirects_followed"] == 0
    # Deleted unseen, and gone when it was asked for again: by inference, and only where a call was lost.
    lost = {call["flow_id"] for call in ledger["calls"] if call["deleted"] and call["code"] is None}
    inferred = {flow for flow, record in command.results("flows.txt.ckpt").items() if record["inferred"]}
    assert lost
    assert lost <= inferred


def test_an_outage_pauses_the_run_tells_so_and_blames_no_flow(bare: Command, ids: Ids) -> None:
    flows = ids(70)
    bare.write("flows.txt", *flows)
    with serve(bare) as first:
        command = Command(bare.folder, bare.environment | first.environment)
        with command.flowreaper(
            "delete", "-y", "--rate", "40", "--log-format", "json", "flows.txt"
        ) as process:
            assert process.stderr
            wait_for(lambda: len(first.called(flows)) > 5)
            first.process.kill()
            told = ""
            while "outage.began" not in told:
                line = process.stderr.readline()
                assert line, told
                told += line
            with serve(bare, "--port", first.url.rpartition(":")[2]) as second:
                finished = ended(process)
                again = second.called(flows)
    assert finished.status == 0
    assert [event["event"] for event in finished.events].count("outage.ended") == 1
    assert command.states("flows.txt.ckpt") == {"deleted": 70}
    records = command.results("flows.txt.ckpt")
    began = json.loads(told.splitlines()[-1])["timestamp"]
    # What was called between the last look at the first ledger and the kill had its reply before the outage.
    unseen = set(flows) - set(first.arrived) - set(again)
    assert all(records[flow]["finished_at"] < began for flow in unseen)
    assert len(unseen) < 5
    attempts = Counter(record["attempts"] for record in records.values())
    # Only what was in progress when the service went was called twice.
    assert set(attempts) <= {1, 2}
    assert attempts[1] > 50


def test_a_service_that_hangs_is_waited_for_too(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    flows = ids(40)
    command.write("flows.txt", *flows)
    arguments = ("delete", "-y", "--rate", "40", "--timeout", "0.3", "--log-format", "json", "flows.txt")
    with command.flowreaper(*arguments) as process:
        assert process.stderr
        wait_for(lambda: len(service.called(flows)) > 5)
        service.process.send_signal(signal.SIGSTOP)
        told = ""
        while "outage.began" not in told:
            line = process.stderr.readline()
            assert line, told
            told += line
        service.process.send_signal(signal.SIGCONT)
        finished = ended(process)
    assert finished.status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 40}


def test_an_outage_longer_than_the_limit_ends_the_run_and_it_can_go_on(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(30))
    with serve(bare) as first:
        first.process.kill()
        first.process.wait()
        command = Command(bare.folder, bare.environment | first.environment)
        finished = command.delete("--no-identity", "--outage-limit", "0.5", "flows.txt")
        assert finished.status == 3
        assert "the service has never answered this job" in finished.err
        assert "Check the endpoint" in finished.err
        assert command.states("flows.txt.ckpt") == {"pending": 30}
    with serve(bare, "--port", first.url.rpartition(":")[2]):
        assert command.shell(finished.resume).status == 0
        assert command.states("flows.txt.ckpt") == {"deleted": 30}


def test_a_service_whose_clock_is_forty_minutes_ahead_is_followed(begin: Begin, ids: Ids) -> None:
    _, command = begin("--clock-offset", "2400")
    command.write("flows.txt", *ids(20))
    finished = command.delete("--log-format", "json", "flows.txt")
    assert finished.status == 0
    assert "clock.corrected" in [event["event"] for event in finished.events]
    assert command.states("flows.txt.ckpt") == {"deleted": 20}


def test_credentials_of_the_environment_that_expire_stop_the_run_and_blame_no_flow(
    begin: Begin, ids: Ids
) -> None:
    _, command = begin("--trouble", "expired-token:#10")
    command.write("flows.txt", *ids(20))
    finished = command.delete("--concurrency", "1", "flows.txt")
    assert finished.status == 3
    assert "LTAI****0001 are no longer valid" in finished.err
    assert command.states("flows.txt.ckpt") == {"deleted": 9, "pending": 11}
    assert command.shell(finished.resume).status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 20}


def test_fifty_refusals_in_a_row_stop_the_run_with_the_answer_and_the_ways_to_go_on(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    bare.write("flows.txt", *ids(60))
    _, command = begin("--published", "flows.txt")
    finished = command.delete("--concurrency", "1", "flows.txt")
    assert finished.status == 3
    assert "Flow.StatusInvalid (HTTP " in finished.err
    assert "Only a flow in the DRAFT state can be deleted." in finished.err
    assert command.states("flows.txt.ckpt") == {"refused": 50, "pending": 10}
    on = command.delete("--max-consecutive-refusals", "0", "flows.txt")
    assert on.status == 1
    assert command.states("flows.txt.ckpt") == {"refused": 60}
    assert "--max-consecutive-refusals 0" in finished.err
    assert "--retry refused" in finished.err
