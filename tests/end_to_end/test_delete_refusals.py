"""What the command refuses, what the service refuses, and how it says so."""

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.end_to_end.command import Command, Finished, Service, ended, wait_for

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

REQUEST_ID = re.compile(r"request id [0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def assert_nothing_was_sent(
    finished: Finished, service: Service, flows: list[str], *, status: int = 2
) -> None:
    assert finished.status == status
    assert finished.out == ""
    assert service.called(flows) == []


def test_published_and_foreign_flows_are_refused_in_the_services_own_words(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    draft, published, foreign = ids(3)
    bare.write("published.txt", published)
    bare.write("foreign.txt", foreign)
    _, command = begin("--published", "published.txt", "--foreign", "foreign.txt")
    command.write("flows.txt", draft, published, foreign)
    finished = command.delete("flows.txt")
    assert finished.status == 1
    records = command.results("flows.txt.ckpt")
    assert records[draft]["state"] == "deleted"
    assert (records[published]["state"], records[published]["code"]) == ("refused", "Flow.StatusInvalid")
    assert records[published]["message"] == "Only a flow in the DRAFT state can be deleted."
    assert (records[foreign]["state"], records[foreign]["code"]) == ("refused", "Unknown.ResourceOwnerId")
    listing = "flowreaper results --state refused --code Flow.StatusInvalid flows.txt.ckpt"
    assert f"  List:   {listing}" in finished.told


def test_a_flow_that_was_never_there_is_absent_and_no_failure(begin: Begin, bare: Command, ids: Ids) -> None:
    known, missing = ids(2)
    bare.write("known.txt", known)
    _, command = begin("--known", "known.txt")
    command.write("flows.txt", known, missing)
    assert command.delete("flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 1, "absent": 1}


def test_treat_says_what_an_unknown_code_means(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "ok-with-error-code:#1")
    command.write("flows.txt", *ids(2))
    assert command.delete("--treat", "Flow.Locked=absent", "flows.txt").status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 1, "absent": 1}


def test_a_wrong_secret_ends_the_command_before_it_has_a_checkpoint(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(20))
    finished = command.delete("flows.txt", env={"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not-the-secret"})
    assert finished.status == 3
    error = next(line for line in finished.told if line.startswith("Error: "))
    assert "SignatureDoesNotMatch" in error
    assert "Specified signature is not matched with our calculation." in error
    assert REQUEST_ID.search(error)
    assert "check the access key secret" in finished.err
    assert not (command.folder / "flows.txt.ckpt").exists()


def test_a_wrong_secret_stops_a_run_without_identity_and_blames_no_flow(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(20))
    wrong = {"ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not-the-secret"}
    finished = command.delete("--no-identity", "flows.txt", env=wrong)
    assert finished.status == 3
    stopped = next(line for line in finished.told if line.startswith("Stopped: "))
    assert "SignatureDoesNotMatch" in stopped
    assert "Specified signature is not matched with our calculation." in stopped
    assert REQUEST_ID.search(stopped)
    assert "check the access key secret" in finished.err
    assert command.states("flows.txt.ckpt") == {"pending": 20}


def test_a_missing_permission_stops_the_run_and_names_what_to_grant(begin: Begin, ids: Ids) -> None:
    service, command = begin("--trouble", "deny:#3")
    flows = ids(200)
    command.write("flows.txt", *flows)
    finished = command.delete("--concurrency", "1", "flows.txt")
    assert finished.status == 3
    assert "Ram.PermissionDeny" in finished.err
    assert REQUEST_ID.search(finished.err)
    assert "cams:DeleteFlow" in finished.err
    assert command.states("flows.txt.ckpt") == {"deleted": 2, "pending": 198}
    assert len(service.called(flows)) == 3
    assert command.shell(finished.resume).status == 0
    assert command.states("flows.txt.ckpt") == {"deleted": 200}


def test_without_credentials_the_three_ways_to_give_them_are_named(bare: Command, ids: Ids) -> None:
    bare.write("flows.txt", *ids(1))
    finished = bare.delete("flows.txt")
    assert finished.status == 3
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in finished.err
    assert "aliyun configure" in finished.err
    assert "RAM role" in finished.err
    assert not list(bare.folder.glob("*.ckpt*"))


def test_plain_http_to_another_machine_is_refused(command: Command, ids: Ids) -> None:
    finished = command.delete("--endpoint", "http://example.com", stdin="\n".join(ids(1)))
    assert finished.status == 2
    assert "http://example.com" in finished.err
    assert "use https" in finished.err


@pytest.mark.parametrize("bad", ["missing.txt", "."])
def test_an_input_that_cannot_be_read_is_named_before_anything_is_sent(
    command: Command, service: Service, ids: Ids, bad: str
) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    finished = command.delete("flows.txt", bad)
    assert_nothing_was_sent(finished, service, flows)
    assert f"Error: {bad}: " in finished.err
    assert not (command.folder / "flows.txt.ckpt").exists()


def test_a_checkpoint_of_another_endpoint_is_refused_and_left_alone(
    command: Command, service: Service, begin: Begin, ids: Ids
) -> None:
    first, second = ids(2)
    command.delete("-c", "job.ckpt", "-", stdin=first)
    before = (command.folder / "job.ckpt").read_bytes()
    other, elsewhere = begin()
    finished = elsewhere.delete("-c", "job.ckpt", "-", stdin=second)
    assert_nothing_was_sent(finished, other, [second])
    assert service.url in finished.err
    assert other.url in finished.err
    assert (command.folder / "job.ckpt").read_bytes() == before


@pytest.mark.parametrize("named", [(), ("-c", "job.ckpt")])
def test_a_rehearsal_begins_afresh_and_leaves_the_real_job_alone(
    command: Command, service: Service, ids: Ids, named: tuple[str, ...]
) -> None:
    flows = ids(3)
    command.write("flows.txt", *flows)
    real = named[-1] if named else "flows.txt.ckpt"
    rehearsal = real.replace(".ckpt", ".sandbox.ckpt")
    for _ in range(2):
        rehearsed = command.delete("--sandbox", *named, "flows.txt")
        assert (rehearsed.status, "This run: 3 deleted" in rehearsed.err) == (0, True)
        assert [path.name for path in command.folder.glob("*.ckpt")] == [rehearsal]
    assert service.called(flows) == []
    assert command.delete(*named, "flows.txt").status == 0
    assert sorted(service.called(flows)) == flows
    assert command.delete("--sandbox", *named, "flows.txt").status == 0
    assert command.states(real) == command.states(rehearsal) == {"deleted": 3}


def test_a_rehearsal_s_checkpoint_is_refused_for_the_service_and_no_rehearsal_uses_another(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    command.write("flows.txt", *flows)
    command.delete("--sandbox", "flows.txt")
    finished = command.delete("-c", "flows.txt.sandbox.ckpt", "flows.txt")
    assert_nothing_was_sent(finished, service, flows)
    assert "flows.txt.sandbox.ckpt was made for the sandbox" in finished.err
    command.delete("-c", "mine.sandbox.ckpt", "flows.txt")
    refused = command.delete("--sandbox", "-c", "mine.sandbox.ckpt", "flows.txt")
    assert refused.status == 2
    assert "mine.sandbox.ckpt was made for the real service" in refused.err
    assert command.states("mine.sandbox.ckpt") == {"deleted": 1}
    assert command.delete("--sandbox", "-c", "mine.sandbox.ckpt").status == 2


def test_a_file_that_is_no_checkpoint_is_never_overwritten(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(1)
    command.write("letter.txt", "Dear reader,")
    finished = command.delete("-c", "letter.txt", "-", stdin=flows[0])
    assert_nothing_was_sent(finished, service, flows)
    assert "letter.txt is not a flowreaper checkpoint" in finished.err
    assert (command.folder / "letter.txt").read_text() == "Dear reader,\n"


def test_a_second_run_on_a_checkpoint_in_use_is_refused_and_told_who_holds_it(
    command: Command, service: Service, ids: Ids
) -> None:
    first, second = ids(2)
    with command.flowreaper("delete", "--yes", "-c", "job.ckpt", "-", stdin=subprocess.PIPE) as holder:
        assert holder.stdin
        holder.stdin.write(f"{first}\n")
        holder.stdin.flush()
        wait_for(lambda: service.called([first]) == [first])
        finished = command.delete("-c", "job.ckpt", "-", stdin=second)
        assert_nothing_was_sent(finished, service, [second], status=75)
        assert f"in use by another run (pid {holder.pid} on " in finished.err
        assert ended(holder).status == 0
    assert command.delete("-c", "job.ckpt", "-", stdin=second).status == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--rate", "0"), "--rate must be from 0.001 to 100,000 (calls per second), not 0"),
        (("--rate", "nan"), "--rate must be from 0.001 to 100,000 (calls per second), not nan"),
        (("--concurrency", "0"), "--concurrency must be from 1 to 10,000 (calls at once), not 0"),
        (("--region", "no where"), "region no where"),
        (("--endpoint", "example.com", "--sandbox"), "leave out --endpoint, or --sandbox"),
        (("--treat", "Some.Code"), "treat Some.Code"),
        (("--retry", "deleted"), "'deleted'"),
        (("--results", "flows.txt"), "--results flows.txt is a SOURCE too"),
        (("--results", "job.ckpt", "-c", "job.ckpt"), "--results job.ckpt is the checkpoint too"),
        (("-c", "./flows.txt"), "--checkpoint flows.txt is a SOURCE too"),
        (("--no-such-option",), "--no-such-option"),
        (("-c", ""), "the checkpoint's name is empty"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_before_anything_is_sent(
    command: Command, service: Service, ids: Ids, arguments: tuple[str, ...], named: str
) -> None:
    flows = ids(1)
    command.write("flows.txt", *flows)
    finished = command.run("delete", "--yes", *arguments, "flows.txt")
    assert_nothing_was_sent(finished, service, flows)
    assert named in finished.err
    assert [path.name for path in command.folder.iterdir()] == ["flows.txt"]


def test_a_file_of_the_same_name_elsewhere_does_not_go_on_with_the_other_s_job(
    command: Command, service: Service, ids: Ids
) -> None:
    first, second = ids(6), ids(1)
    for folder, flows in (("one", first), ("two", second)):
        (command.folder / folder).mkdir()
        command.write(f"{folder}/ids.txt", *flows)
    assert command.delete("--limit", "2", "one/ids.txt").status == 4
    refused = command.delete("two/ids.txt")
    assert refused.status == 2
    assert "holds unfinished flows of other sources: 4 of one/ids.txt" in refused.err
    assert len(service.called([*first, *second])) == 2
    named = command.delete("-c", "ids.txt.ckpt", "two/ids.txt")
    assert named.status == 0
    assert "4 unfinished flows of earlier inputs are not in this input and were left alone" in named.err
    assert sorted(service.called([*first, *second])) == sorted([*first[:2], *second])


def test_a_file_of_the_same_name_elsewhere_does_not_retry_the_other_s_flows(
    begin: Begin, bare: Command, ids: Ids
) -> None:
    first, second = ids(3), ids(1)
    bare.write("published.txt", *first)
    service, command = begin("--published", "published.txt")
    for folder, flows in (("one", first), ("two", second)):
        (command.folder / folder).mkdir()
        command.write(f"{folder}/ids.txt", *flows)
    assert command.delete("one/ids.txt").status == 1
    assert command.delete("--retry", "refused", "two/ids.txt").status == 1
    assert sorted(service.called([*first, *second])) == sorted([*first, *second])
    assert command.delete("--retry", "refused", "one/ids.txt").status == 1
    assert sorted(service.called(first)) == sorted([*first, *first])


@pytest.mark.parametrize(
    ("former", "key", "token", "told"),
    [
        ("LTAI5tFormerKey00", "LTAI5tOtherKey000", "", True),
        ("STS.FormerKey0000", "STS.OtherKey00000", "token", False),
        ("LTAI5tFormerKey00", "STS.OtherKey00000", "token", True),
        ("LTAI5tFormerKey00", "LTAI5tFormerKey00", "", False),
    ],
)
def test_an_access_key_that_may_be_another_account_s_is_told_before_anything_is_sent(
    command: Command, ids: Ids, former: str, key: str, token: str, *, told: bool
) -> None:
    command.write("ids.txt", *ids(2))
    for key_id in (former, key):
        named = {"ALIBABA_CLOUD_ACCESS_KEY_ID": key_id, "ALIBABA_CLOUD_SECURITY_TOKEN": token}
        finished = command.run("delete", "--yes", "--no-identity", "ids.txt", env=named)
        assert finished.status == 3  # the sandbox knows neither
    line = f"Note: the checkpoint was last used with the access key {former[:4]}****{former[-4:]}. If"
    assert (line in finished.err) is told


def test_the_same_file_by_another_path_goes_on_with_its_job(
    command: Command, service: Service, ids: Ids
) -> None:
    flows = ids(3)
    command.write("ids.txt", *flows)
    assert command.delete("--limit", "1", "ids.txt").status == 4
    assert command.delete(f"{command.folder}/./ids.txt").status == 0
    assert sorted(service.called(flows)) == flows


@pytest.mark.parametrize(
    ("words", "env", "named"),
    [
        (("--endpoint", ""), {}, "--endpoint is empty"),
        ((), {"FLOWREAPER_ENDPOINT": ""}, "FLOWREAPER_ENDPOINT is empty"),
        ((), {"FLOWREAPER_DELETE_ENDPOINT": ""}, "FLOWREAPER_DELETE_ENDPOINT is empty"),
    ],
)
def test_an_empty_endpoint_is_not_taken_for_the_service_itself(
    command: Command, ids: Ids, words: tuple[str, ...], env: dict[str, str], named: str
) -> None:
    command.write("ids.txt", *ids(1))
    finished = command.run("delete", "--dry-run", *words, "ids.txt", env=env)
    assert finished.status == 2
    assert named in finished.err


def test_an_empty_endpoint_does_not_matter_to_a_rehearsal(command: Command, ids: Ids) -> None:
    command.write("ids.txt", *ids(1))
    finished = command.run("delete", "--sandbox", "--dry-run", "ids.txt", env={"FLOWREAPER_ENDPOINT": ""})
    assert finished.status == 0
