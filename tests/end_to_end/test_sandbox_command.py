"""The sandbox as a command: what it prints, how it stops, how its options act."""

import signal
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Service, ended, serve

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def test_the_printed_lines_point_a_shell_at_the_sandbox(bare: Command, ids: Ids) -> None:
    flows = ids(1)
    bare.write("flows.txt", *flows)
    with serve(bare) as service:
        exports = "; ".join(f"export {name}='{value}'" for name, value in service.environment.items())
        assert bare.shell(f"{exports}; flowreaper delete --yes flows.txt").status == 0
        assert service.called(flows) == flows
        assert service.url in service.told
        assert str(service.process.pid) in service.told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_at_a_signal_without_a_word(bare: Command, number: signal.Signals) -> None:
    with serve(bare) as service:
        service.process.send_signal(number)
        finished = ended(service.process)
    assert (finished.status, finished.out, finished.err) == (0, "", "")


def test_it_listens_on_the_port_that_it_is_given_and_says_when_that_is_taken(
    bare: Command, service: Service
) -> None:
    port = service.url.rpartition(":")[2]
    finished = bare.run("sandbox", "--port", port)
    assert finished.status == 2
    assert f"127.0.0.1:{port}" in finished.err


def test_its_quota_throttles_a_client_that_is_too_fast(bare: Command, ids: Ids) -> None:
    flows = ids(12)
    bare.write("flows.txt", *flows)
    with serve(bare, "--window", "sliding", "--rate", "8") as service:
        command = Command(bare.folder, bare.environment | service.environment)
        finished = command.delete("flows.txt")
        assert finished.status == 0
        codes = [call["code"] for call in service.ledger()]
    assert codes.count("OK") == 12
    assert "System.LimitControl" in codes
    assert "throttled" in finished.err
    assert {record["attempts"] for record in command.results("flows.txt.ckpt").values()} == {1}


@pytest.mark.parametrize("trouble", ["reset-after:#1", "cut-body:#1", "html-503:#1"])
def test_its_trouble_leaves_the_flow_deleted_once(begin: Begin, ids: Ids, trouble: str) -> None:
    service, command = begin("--trouble", trouble)
    flows = ids(1)
    command.write("flows.txt", *flows)
    assert command.delete("flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 1}
    assert [call["deleted"] for call in service.ledger()].count(True) == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--trouble", "earthquake:#1"), "earthquake"),
        (("--window", "square"), "square"),
        (("--known", "no.txt"), "no.txt"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    bare: Command, arguments: tuple[str, ...], named: str
) -> None:
    finished = bare.run("sandbox", *arguments)
    assert (finished.status, finished.out) == (2, "")
    assert named in finished.err


def test_the_embedded_sandbox_needs_no_credentials_and_no_endpoint(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(5))
    for _ in range(2):
        assert bare.delete("--sandbox", "flows.txt").status == 0
    assert bare.states("flows.txt.sandbox.ckpt") == {"deleted": 5}
