"""The sandbox as a command: what it prints, how it stops, how its options act."""

import json
import re
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from flowreaper.client import messages, signing
from flowreaper.sandbox import CREDENTIALS
from flowreaper.sandbox.flow import FlowStatus
from flowreaper.sandbox.seed import seeded
from flowreaper.sandbox.trouble import Trouble
from tests.end_to_end.command import Command, Service, ended, serve

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

SDK = """\
from alibabacloud_cams20200606.client import Client
from alibabacloud_cams20200606.models import DeleteFlowRequest
from alibabacloud_tea_openapi.utils_models import Config

print(Client({config}).delete_flow(DeleteFlowRequest(flow_id={flow!r})).body.code)
"""


def test_the_printed_lines_point_a_shell_at_the_sandbox(bare: Command, ids: Ids) -> None:
    flows = ids(1)
    bare.write("flows.txt", *flows)
    with serve(bare) as service:
        exports = "; ".join(f"export {name}='{value}'" for name, value in service.environment.items())
        assert bare.shell(f"{exports}; flowreaper delete --yes flows.txt").status == 0
        assert service.called(flows) == flows
        assert service.url in service.told
        assert str(service.process.pid) in service.told


def test_the_printed_lines_point_an_official_sdk_at_the_sandbox(bare: Command, ids: Ids) -> None:
    flows = ids(1)
    with serve(bare) as service:
        assert (
            "An official SDK calls the REAL service unless its Config names endpoint and protocol"
            in service.told
        )
        (line,) = re.findall(r"^  Python: +(Config\(.*\))$", service.told, re.MULTILINE)
        finished = bare.finish(sys.executable, "-W", "ignore", "-c", SDK.format(config=line, flow=flows[0]))
        assert (finished.status, finished.out) == (0, "OK\n")
        assert service.called(flows) == flows


def test_the_typescript_line_says_the_same_as_the_python_line(bare: Command) -> None:
    with serve(bare) as service:
        told = service.told
    quoted = [re.findall(r"'([^']*)'", line) for line in told.splitlines() if "Config(" in line]
    assert len(quoted) == 2
    assert quoted[0] == quoted[1]
    key, secret, endpoint, protocol = quoted[1]
    assert (
        f"new Config({{ accessKeyId: '{key}', accessKeySecret: '{secret}',"
        f" endpoint: '{endpoint}', protocol: '{protocol}' }})\n"
    ) in told


def test_the_help_lists_every_kind_of_trouble(bare: Command) -> None:
    finished = bare.run("sandbox", "--help")
    for kind in Trouble:
        assert f"\n    {kind:20}  {kind.meaning}\n" in finished.out
    assert max(map(len, finished.out.splitlines())) <= 80


def test_a_client_that_sends_no_http_leaves_no_traceback(bare: Command, ids: Ids) -> None:
    with serve(bare) as service:
        for garbage in (b"\x00\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
            with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))) as connection:
                connection.sendall(garbage)
                assert connection.recv(1000)
        service.process.send_signal(signal.SIGINT)
        assert ended(service.process).err == ""


def test_any_code_can_be_rehearsed(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "answer:Product.Unsubscript:#1,answer:Odd.Code_1:#2")
    command.write("flows.txt", *ids(2))
    finished = command.delete("--concurrency", "1", "flows.txt")
    assert finished.status == 3
    assert "Product.Unsubscript (HTTP 400" in finished.err
    assert "You have not subscribed to the specified product." in finished.err
    assert command.delete("flows.txt").status == 1
    assert command.states("flows.txt.ckpt") == {"deleted": 1, "refused": 1}
    assert [call["trouble"] for call in service.ledger()] == [
        "answer:Product.Unsubscript",
        "answer:Odd.Code_1",
        None,
    ]


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
        (("--trouble", "earthquake:#1"), "unknown trouble 'earthquake'; choose from reset-before, "),
        (("--trouble", "answer:#1"), "write answer:CODE:PROBABILITY"),
        (("--window", "square"), "square"),
        (("--known", "no.txt"), "no.txt"),
        (("--deny", "GetFlows"), "no operation 'GetFlows' to deny: choose from DeleteFlow, "),
        (("--trouble", "GetFlows/throttle:1"), "unknown operation 'GetFlows'"),
        (("--account-id", "me"), "account_id is 'me'"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(
    bare: Command, arguments: tuple[str, ...], named: str
) -> None:
    finished = bare.run("sandbox", *arguments)
    assert (finished.status, finished.out) == (2, "")
    assert named in finished.err


def identity(service: Service) -> dict[str, str]:
    """Ask who the key belongs to."""
    host = service.url.removeprefix("http://")
    headers = {
        "host": host,
        "x-acs-action": "GetCallerIdentity",
        "x-acs-version": "2015-04-01",
        "x-acs-date": messages.timestamp(time.time()),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": signing.EMPTY_BODY_SHA256,
    }
    headers["authorization"] = signing.authorization(
        CREDENTIALS, method="POST", path="/", query="", headers=headers
    )
    connection = HTTPConnection(host)
    connection.request("POST", "/", headers=headers)
    answer: dict[str, str] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def test_a_seeded_account_is_the_one_that_its_seed_makes(begin: Begin) -> None:
    service, command = begin("--seed-flows", "200", "--seed", "3", "--account-id", "42")
    flows = seeded(200, 3).flows
    own = {stored.status: stored.flow.flow_id for stored in flows if not stored.flow.cust_space_id}
    command.write("flows.txt", own[FlowStatus.DRAFT], own[FlowStatus.PUBLISHED], "1")
    assert command.delete("flows.txt").status == 1
    assert command.states("flows.txt.ckpt") == {"deleted": 1, "refused": 1, "absent": 1}
    drafts = sum(stored.status is FlowStatus.DRAFT for stored in flows)
    assert f"It holds 200 flows in 5 spaces, {drafts} of them drafts, and 10 templates.\n" in service.told
    assert identity(service)["AccountId"] == "42"


def test_a_right_that_is_denied_stops_a_run(begin: Begin, ids: Ids) -> None:
    _, command = begin("--deny", "GetFlow, DeleteFlow")
    command.write("flows.txt", *ids(2))
    finished = command.delete("flows.txt")
    assert finished.status == 3
    assert "Ram.PermissionDeny" in finished.err


def test_the_embedded_sandbox_needs_no_credentials_and_no_endpoint(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(5))
    for _ in range(2):
        assert bare.delete("--sandbox", "flows.txt").status == 0
    assert bare.states("flows.txt.sandbox.ckpt") == {"deleted": 5}
