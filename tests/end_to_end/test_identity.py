"""The account by its number: shown, kept, compared; another one's checkpoint is refused, its keys may change."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from flowreaper import read_status
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from tests.end_to_end.command import NOBODY, Command, Finished, Service, ended
from tests.end_to_end.terminal import Terminal
from tests.end_to_end.test_two_runs import most_together

Ids = Callable[[int], list[str]]

ACCOUNT = "1000000000000001"
ARN = f"acs:ram::{ACCOUNT}:user/flowreaper"
ROTATED = "LTAIrotatedKeyOfThisAccount"
FOREIGN = "LTAIkeyOfAnotherAccount"
SECRET = CREDENTIALS.access_key_secret[::-1]
FOREIGN_ACCOUNT = "2000000000000002"


class Server:
    """A sandbox with several keys, in this process."""

    def __init__(self, sandbox: Sandbox, command: Command) -> None:
        self.sandbox = sandbox
        self._command = command

    def of(self, key: str, secret: str = SECRET) -> Command:
        """Return the command with this access key."""
        environment = {
            "FLOWREAPER_ENDPOINT": self.sandbox.url,
            "FLOWREAPER_STS_ENDPOINT": self.sandbox.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": key,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": secret,
        }
        return Command(self._command.folder, self._command.environment | environment)

    @property
    def own(self) -> Command:
        """Return the command with the sandbox's usual key."""
        return self.of(CREDENTIALS.access_key_id, CREDENTIALS.access_key_secret)

    async def delete(self, command: Command, *words: str, env: Mapping[str, str] | None = None) -> Finished:
        """Run ``flowreaper delete``, while this process serves it."""
        return await asyncio.to_thread(command.delete, *words, env=env)


@asynccontextmanager
async def server(bare: Command, window: str = "none") -> AsyncIterator[Server]:
    keys = {ROTATED: (SECRET, ACCOUNT), FOREIGN: (SECRET, FOREIGN_ACCOUNT)}
    async with Sandbox(SandboxOptions(window=window, more_keys=keys)) as sandbox:
        yield Server(sandbox, bare)


def test_the_account_is_in_the_question_the_checkpoint_the_status_and_the_summary(
    command: Command, ids: Ids
) -> None:
    command.write("flows.txt", *ids(1))
    with Terminal(command, "delete", "--summary-json", "end.json", "flows.txt") as terminal:
        terminal.wait_for("Delete? [y/N] ")
        assert f"Account:     {ACCOUNT} ({ARN})" in terminal.shown
        terminal.type("y\n")
        assert terminal.wait() == 0
    status = read_status(command.folder / "flows.txt.ckpt")
    assert (status.account, status.arn) == (ACCOUNT, ARN)
    assert f"Account: {ACCOUNT} ({ARN})" in command.run("status", "flows.txt.ckpt").out
    shown = json.loads(command.run("status", "--json", "flows.txt.ckpt").out)
    end = json.loads((command.folder / "end.json").read_text())
    for document in (shown, end):
        assert (document["account"], document["arn"]) == (ACCOUNT, ARN)
    assert command.run("report", "-o", "page.html", "flows.txt.ckpt").status == 0
    assert ARN in (command.folder / "page.html").read_text()


def test_the_account_is_in_the_event_of_the_start(command: Command, ids: Ids) -> None:
    finished = command.delete("--log-format", "json", stdin=ids(1)[0])
    (started,) = (event for event in finished.events if event["event"] == "run.started")
    assert (started["account"], started["arn"]) == (ACCOUNT, ARN)


async def test_a_checkpoint_of_another_account_is_refused_by_number_and_nothing_is_sent(
    bare: Command, ids: Ids
) -> None:
    bare.write("flows.txt", *ids(3))
    async with server(bare) as serving:
        await serving.delete(serving.own, "--limit", "1", "flows.txt")
        calls = serving.sandbox.ledger.total
        finished = await serving.delete(serving.of(FOREIGN), "flows.txt")
        assert finished.status == 2
        assert f"belongs to the account {ACCOUNT}" in finished.err
        assert FOREIGN_ACCOUNT in finished.err
        assert (await serving.delete(serving.of(FOREIGN), "--dry-run", "flows.txt")).status == 2
        assert serving.sandbox.ledger.total == calls
    assert bare.states("flows.txt.ckpt") == {"deleted": 1, "pending": 2}


async def test_another_key_is_refused_where_nobody_says_that_it_is_of_the_checkpoints_account(
    bare: Command, ids: Ids
) -> None:
    """Every flow that is left would have ended as absent."""
    bare.write("flows.txt", *ids(3))
    async with server(bare) as serving:
        await serving.delete(serving.own, "--limit", "1", "flows.txt")
        refused = await serving.delete(serving.of(FOREIGN), "--no-identity", "flows.txt")
        assert refused.status == 2
        assert f"belongs to the account {ACCOUNT}, and nobody can say with --no-identity" in refused.err
        assert bare.states("flows.txt.ckpt") == {"deleted": 1, "pending": 2}
        assert (await serving.delete(serving.own, "--no-identity", "flows.txt")).status == 0


async def test_another_key_of_the_same_account_goes_on_without_a_note(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(3))
    async with server(bare) as serving:
        await serving.delete(serving.own, "--limit", "1", "flows.txt")
        finished = await serving.delete(serving.of(ROTATED), "flows.txt")
    assert finished.status == 0
    assert "another" not in finished.err
    assert bare.states("flows.txt.ckpt") == {"deleted": 3}


async def test_a_checkpoint_without_a_number_gets_it_when_it_is_resumed(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(2))
    async with server(bare) as serving:
        await serving.delete(serving.own, "--no-identity", "--limit", "1", "flows.txt")
        assert read_status(bare.folder / "flows.txt.ckpt").account == ""
        finished = await serving.delete(serving.of(ROTATED), "flows.txt")
    assert finished.status == 0
    assert "Note: the checkpoint was last used with the access key LTAI****0001" in finished.err
    assert read_status(bare.folder / "flows.txt.ckpt").account == ACCOUNT


async def test_without_identity_nothing_is_asked_and_another_key_is_noted(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(2))
    async with server(bare) as serving:
        nobody = {"FLOWREAPER_STS_ENDPOINT": NOBODY}
        await serving.delete(serving.own, "--no-identity", "--limit", "1", "flows.txt", env=nobody)
        finished = await serving.delete(serving.of(ROTATED), "--no-identity", "flows.txt", env=nobody)
    assert finished.status == 0
    assert "Note: the checkpoint was last used with the access key LTAI****0001" in finished.err
    assert "Account" not in finished.err


@pytest.mark.parametrize("given", ["flag", "variable"])
def test_another_account_than_the_expected_one_is_refused_before_anything_is_opened(
    command: Command, service: Service, ids: Ids, given: str
) -> None:
    flows = ids(2)
    command.write("flows.txt", *flows)
    words = ("--expect-account", "42") if given == "flag" else ()
    finished = command.delete(
        *words, "flows.txt", env={"FLOWREAPER_DELETE_EXPECT_ACCOUNT": "42"} if given == "variable" else None
    )
    assert finished.status == 2
    assert f"the account {ACCOUNT} ({ARN}), not to 42 as expected" in finished.err
    assert service.called(flows) == []
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]
    dry = command.run("delete", "--dry-run", "--expect-account", "42", "flows.txt")
    assert dry.status == 2
    assert command.delete("--expect-account", ACCOUNT, "flows.txt").status == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--expect-account", "42", "--no-identity"), "leave out --no-identity, or --expect-account"),
        (("--expect-account", "account-42"), "--expect-account must be an account's number, digits alone"),
        (("--expect-account", ""), "--expect-account must be an account's number, digits alone"),
        (("--sts-endpoint", "http://example.com"), "--sts-endpoint: endpoint http://example.com: plain http"),
        (("--sts-endpoint", "https://sts.example.com/path"), "leave out everything after the host"),
        (("--sts-endpoint", ""), "--sts-endpoint: endpoint : give a host name"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(command: Command, words: tuple[str, ...], says: str) -> None:
    finished = command.delete(*words, stdin="1")
    assert finished.status == 2
    assert says in finished.err


def test_an_empty_variable_for_the_place_of_sts_does_not_mean_the_real_one(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    finished = command.delete(stdin=flows[0], env={"FLOWREAPER_STS_ENDPOINT": ""})
    assert finished.status == 2
    assert "FLOWREAPER_STS_ENDPOINT is empty" in finished.err
    assert service.called(flows) == []


def test_an_sts_that_does_not_answer_ends_a_run_with_the_way_to_go_without_it(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    finished = command.delete("--sts-endpoint", NOBODY, "--outage-limit", "0", stdin=flows[0])
    assert finished.status == 3
    assert "127.0.0.1:9 does not say whose the access key is" in finished.err
    assert "To leave the account's number unchecked: --no-identity" in finished.err
    assert service.called(flows) == []
    assert command.delete("--sts-endpoint", NOBODY, "--no-identity", stdin=flows[0]).status == 0


def test_a_dry_run_says_that_sts_does_not_answer_and_goes_on(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(2))
    finished = command.run(
        "delete", "--dry-run", "--sts-endpoint", NOBODY, "--outage-limit", "0", "flows.txt"
    )
    assert finished.status == 0
    assert "Account:     not known: 127.0.0.1:9 does not say" in finished.err
    assert "Would permanently delete 2 flows" in finished.err


def test_ctrl_c_while_sts_is_asked_ends_the_command_and_leaves_nothing(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(1))
    with command.flowreaper("delete", "--yes", "--sts-endpoint", NOBODY, "flows.txt") as run:
        assert run.stderr
        assert "GetCallerIdentity" in run.stderr.readline()
        os.kill(run.pid, signal.SIGINT)
        assert ended(run).status == 130
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]


def test_a_rehearsal_asks_nobody(command: Command, ids: Ids) -> None:
    finished = command.delete("--sandbox", "--sts-endpoint", NOBODY, stdin=ids(1)[0])
    assert finished.status == 0
    assert "Account" not in finished.err


def test_without_a_place_for_sts_a_service_on_this_machine_answers_for_it(command: Command, ids: Ids) -> None:
    environment = {n: v for n, v in command.environment.items() if n != "FLOWREAPER_STS_ENDPOINT"}
    finished = Command(command.folder, environment).delete(stdin=ids(1)[0])
    assert finished.status == 0
    assert f"Account:     {ACCOUNT} ({ARN})" in finished.err


async def test_two_runs_with_two_keys_of_one_account_share_its_pace(bare: Command, ids: Ids) -> None:
    flows = ids(40)
    bare.write("one.txt", *flows[::2])
    bare.write("other.txt", *flows[1::2])
    async with server(bare) as serving:
        with (
            serving.own.flowreaper("delete", "--yes", "one.txt") as one,
            serving.of(ROTATED).flowreaper("delete", "--yes", "other.txt") as other,
        ):
            found = [await asyncio.to_thread(ended, run) for run in (one, other)]
        times = sorted(call.at_s for call in serving.sandbox.ledger.page(0, 1000))
    assert [run.status for run in found] == [0, 0]
    assert all("Another run of this account on this machine" in run.err for run in found)
    assert len(times) == 40
    assert most_together(times) <= 5
