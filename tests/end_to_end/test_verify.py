"""``flowreaper verify`` against a sandbox: what is gone, what is there all the same, and what was in doubt."""

import contextlib
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import pytest

from flowreaper import FlowreaperError, State, read_records
from tests.end_to_end.command import (
    PATIENCE_S,
    Command,
    Finished,
    Service,
    clean_environment,
    ended,
    serve,
    wait_for,
)

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]

FAST = ("--read-rate", "500")
CHECKPOINT = "flows.txt.ckpt"


def verify(command: Command, *arguments: str) -> Finished:
    return command.run("verify", *FAST, *arguments, CHECKPOINT)


def delete(command: Command, ids: list[str], *arguments: str) -> Finished:
    return command.delete(*arguments, command.write("flows.txt", *ids))


def looked_at(service: Service, action: str = "GetFlow") -> list[dict[str, Any]]:
    """Return the sandbox's calls of an operation."""
    with build_opener(ProxyHandler({})).open(
        f"{service.url}/ledger?action={action}", timeout=PATIENCE_S
    ) as answer:
        calls: list[dict[str, Any]] = json.load(answer)["calls"]
    return calls


def signs(text: str) -> dict[str, str]:
    """Return the sign of each flow; each must be there once."""
    pairs = [line.split(" ", 1) for line in text.splitlines()]
    found = {flow: sign for sign, flow in pairs}
    assert len(found) == len(pairs)
    return found


def latest(command: Command) -> dict[str, Any]:
    """Return the latest verification that ``status`` shows."""
    found: dict[str, Any] = json.loads(command.run("status", "--json", CHECKPOINT).out)["verifications"][-1]
    return found


def test_of_fifty_deleted_flows_none_remains_and_each_was_looked_at_once(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    flows = ids(50)
    delete(command, flows)
    done = verify(command, "--combined", "signs.txt")
    assert (done.status, done.out) == (0, "")
    assert "0 of 50 deleted or absent flows remain (looked at each; " in done.err
    assert signs((command.folder / "signs.txt").read_text()) == dict.fromkeys(flows, "-")
    assert sorted(call["flow_id"] for call in looked_at(service)) == sorted(flows)
    assert "Verified: 0 of 50 deleted or absent flows remain" in command.run("status", CHECKPOINT).out
    assert latest(command)["proves"] is True


def test_a_sample_says_that_it_is_one_and_of_how_many(command: Command, service: Service, ids: Ids) -> None:
    flows = ids(40)
    delete(command, flows)
    before = len(looked_at(service))
    first = verify(command, "--sample", "5", "--combined", "-")
    assert first.status == 0
    assert "a sample of 5 of 40 deleted or absent flows (again with --seed " in first.err
    assert "0 of 5 deleted or absent flows remain (looked at each; a sample of 5 of 40; " in first.err
    assert len(looked_at(service)) == before + 5
    seed = first.err.partition("--seed ")[2].partition(")")[0]
    again = verify(command, "--sample", "5", "--seed", seed, "--combined", "-")
    assert signs(again.out) == signs(first.out)
    assert len(signs(first.out)) == 5


def test_a_flow_whose_answer_was_lost_is_settled_as_deleted(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "reset-after:#3")
    flows = ids(8)
    delete(command, flows, "--max-attempts", "1", "--concurrency", "1")
    (doubtful,) = (r for r in command.results(CHECKPOINT).values() if r["state"] == "gave_up")
    assert doubtful["in_doubt"]
    done = verify(command, "--sample", "1")
    assert done.status == 0
    assert "In doubt before: 1 deleted, by inference" in done.err
    record = command.results(CHECKPOINT)[doubtful["flow_id"]]
    assert (record["state"], record["inferred"]) == ("deleted", True)
    assert record["code"].endswith("NotExist")
    assert command.states(CHECKPOINT) == {"deleted": 8}


def test_a_listing_that_lags_longer_than_the_run_is_not_believed(
    begin: Begin, ids: Ids, bare: Command
) -> None:
    flows = ids(12)
    known = bare.write("known.txt", *flows)
    service, command = begin("--known", known, "--list-lag", "300")
    delete(command, flows[:9])
    done = verify(command, "--by-listing")
    assert done.status == 0
    assert (
        "0 of 9 deleted or absent flows remain (listed, and looked at each that a listing shows; " in done.err
    )
    assert sorted(call["flow_id"] for call in looked_at(service)) == sorted(flows[:9])


def test_what_a_listing_does_not_show_is_not_looked_at(begin: Begin, ids: Ids, bare: Command) -> None:
    flows = ids(12)
    service, command = begin("--known", bare.write("known.txt", *flows))
    delete(command, flows[:9])
    assert verify(command, "--by-listing").status == 0
    assert looked_at(service) == []
    assert len(looked_at(service, "ListFlow")) >= 1


@pytest.fixture(scope="module")
def made_anew(
    tmp_path_factory: pytest.TempPathFactory, ids: Ids
) -> Iterator[tuple[Command, list[str], Finished]]:
    """A job whose flows all exist again, verified: 5 confirmed, 1 deleted by inference, 1 in doubt."""
    folder = tmp_path_factory.mktemp("made_anew")
    bare, flows = Command(folder, clean_environment(folder)), ids(7)
    with serve(bare, "--trouble", "reset-after:#5,reset-before:#8") as service:
        command = Command(folder, bare.environment | service.environment)
        # The fifth flow is called twice, so that the seventh gets the eighth call.
        delete(command, flows[:6], "--concurrency", "1")
        delete(command, [*flows[:6], flows[6]], "--max-attempts", "1")
        port = service.url.rpartition(":")[2]
    with serve(bare, "--port", port):  # knows nothing of the deletions
        yield command, flows, verify(command, "--combined", "signs.txt")


def test_flows_that_are_there_after_all_are_shown_with_what_to_do(
    made_anew: tuple[Command, list[str], Finished],
) -> None:
    command, flows, done = made_anew
    assert done.status == 1
    assert "6 of 6 deleted or absent flows remain (looked at each; " in done.err
    assert signs((command.folder / "signs.txt").read_text()) == dict.fromkeys(flows, "+")
    assert "1 flow, deleted by inference only, will be called again" in done.err
    assert "In doubt before: 1 still there, to be called again" in done.err
    assert "flowreaper results --remaining flows.txt.ckpt | flowreaper delete" in done.err


def test_a_confirmed_deletion_keeps_its_outcome_and_the_others_are_pending(
    made_anew: tuple[Command, list[str], Finished],
) -> None:
    command, flows, _ = made_anew
    records = command.results(CHECKPOINT)
    states = Counter((r["state"], r["inferred"], r["in_doubt"]) for r in records.values())
    assert states == {("deleted", False, False): 5, ("pending", False, False): 2}
    listed = [r["flow_id"] for r in command.run("results", "--remaining", CHECKPOINT).records]
    assert listed == [flow for flow in flows if records[flow]["state"] == "deleted"]
    assert (
        latest(command)["checks"] | {"remains": 5, "reopened": 1, "settled_pending": 1}
        == latest(command)["checks"]
    )


def test_the_commands_that_it_names_delete_what_is_left(
    made_anew: tuple[Command, list[str], Finished], tmp_path: Path
) -> None:
    made, flows, done = made_anew
    (command_line,) = (line.partition(": ")[2] for line in done.told if "in a new job" in line)
    (resume,) = (line.partition(": ")[2] for line in done.told if line.startswith("To go on"))
    copy = Command(made.folder, made.environment)
    for line in (command_line, resume):
        assert copy.shell(f"{line} --yes --rate 500".replace("- --yes", "--yes -")).status == 0
    assert copy.states("flows.txt.remaining.ckpt") == {"deleted": 5}
    again = verify(copy)
    assert again.status == 0
    assert f"0 of {len(flows)} deleted or absent flows remain" in again.err
    assert copy.run("results", "--remaining", CHECKPOINT).out == ""


@pytest.mark.parametrize("method", [(), ("--by-listing",)])
def test_flows_that_a_safeguard_kept_are_checked_too_unless_it_is_a_sample(
    begin: Begin, ids: Ids, bare: Command, method: tuple[str, ...]
) -> None:
    flows = ids(6)
    published = bare.write("published.txt", *flows[:2])
    service, command = begin("--known", bare.write("known.txt", *flows), "--published", published)
    delete(command, flows, "--only-drafts")
    assert command.states(CHECKPOINT) == {"deleted": 4, "kept": 2}
    done = verify(command, *method, "--combined", "-")
    assert done.status == 0
    assert "Kept, and there: 2 flows" in done.err
    assert signs(done.out) == {flow: "=" if flow in flows[:2] else "-" for flow in flows}
    looks = len(looked_at(service))
    sampled = verify(command, *method, "--sample", "3", "--combined", "-")
    assert sorted(signs(sampled.out).values()) == ["-"] * 3
    assert len(looked_at(service)) == looks + (0 if method else 3)


def test_a_result_can_be_read_by_a_program(begin: Begin, ids: Ids) -> None:
    _, command = begin()
    delete(command, ids(3))
    done = verify(command, "--json")
    assert json.loads(done.out) | {"exit_status": 0, "known": 3, "checked": 3, "remain": 0} == json.loads(
        done.out
    )
    assert verify(command, "--json", "--combined", "-").status == 2


def test_a_flow_that_cannot_be_looked_at_is_no_proof(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "GetFlow/answer:Flow.Locked:#2")
    delete(command, ids(3))
    done = verify(command, "--combined", "-")
    assert done.status == 1
    assert sorted(signs(done.out).values()) == ["-", "-", "?"]
    assert "1 flow could not be looked at:" in done.err
    assert "Flow.Locked" in done.err
    _, command = begin("--trouble", "GetFlow/answer:Flow.Locked:#1-")
    delete(command, ids(3), "-c", "treated.ckpt")
    treated = command.run("verify", *FAST, "--treat", "Flow.Locked=absent", "treated.ckpt")
    assert treated.status == 0


def test_without_the_permission_it_stops_and_says_which(begin: Begin, ids: Ids) -> None:
    _, command = begin("--deny", "GetFlow")
    delete(command, ids(3))
    done = verify(command)
    assert done.status == 3
    assert "cams:GetFlow" in done.err
    assert command.states(CHECKPOINT) == {"deleted": 3}


def test_it_makes_no_checkpoint_and_takes_none_of_another_endpoint_or_account(
    begin: Begin, ids: Ids, service: Service
) -> None:
    mine, command = begin()
    delete(command, ids(3))
    whole = (command.folder / CHECKPOINT).read_bytes()
    assert command.run("verify", "else.ckpt").status == 2
    assert not (command.folder / "else.ckpt").exists()
    other = verify(command, "--endpoint", service.url)
    assert other.status == 2
    assert "was made for" in other.err
    assert "with -c" not in other.err
    assert (command.folder / CHECKPOINT).read_bytes() == whole
    assert looked_at(mine) == []


def test_an_account_of_another_number_is_refused_before_any_look(bare: Command, ids: Ids) -> None:
    with serve(bare) as service:
        command = Command(bare.folder, bare.environment | service.environment)
        delete(command, ids(3))
        port = service.url.rpartition(":")[2]
    with serve(bare, "--port", port, "--account-id", "2000000000000002") as service:
        done = verify(command, "--combined", "signs.txt")
        assert done.status == 2
        assert "1000000000000001" in done.err
        assert "2000000000000002" in done.err
        assert looked_at(service) == []
        assert not (command.folder / "signs.txt").exists()


def test_another_key_has_to_be_vouched_for_where_the_checkpoint_does_not_know_its_account(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin()
    delete(command, ids(3), "--no-identity")
    with contextlib.closing(sqlite3.connect(command.folder / CHECKPOINT, isolation_level=None)) as db:
        db.execute("UPDATE job SET value = 'LTAI****Gone' WHERE name = 'access_key'")
    refused = verify(command)
    assert refused.status == 2
    assert "LTAI****Gone" in refused.err
    assert looked_at(service) == []
    (words,) = (line.partition(": if that is the right one, add ")[2] for line in refused.told)
    assert words == "--expect-account 1000000000000001"
    assert verify(command, *words.split()).status == 0
    unchecked = verify(command, "--no-identity")
    assert unchecked.status == 0
    assert "Note: the checkpoint was last used with the access key LTAI****Gone" in unchecked.err


def test_another_key_proves_nothing_where_nobody_says_that_it_is_of_the_checkpoints_account(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin()
    delete(command, ids(3))
    assert verify(command, "--no-identity").status == 0
    seen = len(looked_at(service))
    with contextlib.closing(sqlite3.connect(command.folder / CHECKPOINT, isolation_level=None)) as db:
        db.execute("UPDATE job SET value = 'LTAI****Gone' WHERE name = 'access_key'")
    refused = verify(command, "--no-identity")
    assert refused.status == 2
    assert "belongs to the account 1000000000000001" in refused.err
    assert len(looked_at(service)) == seen
    assert verify(command).status == 0


def is_calling(command: Command) -> bool:
    with contextlib.suppress(FlowreaperError):  # not begun yet
        return "claimed" in command.states(CHECKPOINT)
    return False


def test_a_checkpoint_that_a_run_has_is_left_to_it(begin: Begin, ids: Ids) -> None:
    _, command = begin("--trouble", "hang-before:#1-")
    name = command.write("flows.txt", *ids(3))
    with command.flowreaper("delete", "--yes", "--timeout", "60", name) as run:
        wait_for(lambda: is_calling(command))
        done = verify(command)
        assert done.status == 75
        assert "in use by another run" in done.err
        run.kill()


def test_ctrl_c_keeps_what_was_found_and_says_that_it_was_cut_short(begin: Begin, ids: Ids) -> None:
    service, command = begin()
    delete(command, ids(60))
    with command.flowreaper("verify", "--read-rate", "4", "--combined", "signs.txt", CHECKPOINT) as process:
        wait_for(lambda: (command.folder / "signs.txt").exists() and len(looked_at(service)) >= 2)
        process.send_signal(signal.SIGINT)
        done = ended(process)
    assert done.status == 130
    assert "cut short" in done.err
    found = latest(command)
    assert found["complete"] is False
    assert found["proves"] is False
    assert 1 <= found["checked"] == len(signs((command.folder / "signs.txt").read_text())) < 60
    assert "cut short" in command.run("status", CHECKPOINT).out


def test_killed_again_and_again_it_settles_each_flow_and_changes_no_confirmed_deletion(
    begin: Begin, ids: Ids
) -> None:
    service, command = begin("--trouble", "reset-after:0.3", "--seed", "5")
    delete(command, ids(60), "--max-attempts", "1")
    before = command.results(CHECKPOINT)
    doubtful = [flow for flow, record in before.items() if record["state"] == "gave_up"]
    assert len(doubtful) > 5
    chance = random.Random(7)  # noqa: S311 -- when to kill
    for _ in range(4):
        seen = len(looked_at(service))
        with command.flowreaper("verify", "--read-rate", "25", CHECKPOINT) as process:
            wait_for(lambda seen=seen: len(looked_at(service)) > seen + 3)  # type: ignore[misc]  # bound at once
            time.sleep(chance.random() * 0.5)
            process.kill()
    assert verify(command).status == 0
    after = command.results(CHECKPOINT)
    assert {flow: record for flow, record in after.items() if flow not in doubtful} == {
        flow: record for flow, record in before.items() if flow not in doubtful
    }
    assert all((after[flow]["state"], after[flow]["inferred"]) == ("deleted", True) for flow in doubtful)
    assert sum(r.state is State.DELETED for r in read_records(command.folder / CHECKPOINT)) == 60


def test_a_deletion_ends_with_the_command_that_proves_it(command: Command, ids: Ids) -> None:
    command.write("flows.txt", *ids(3))
    done = command.delete("--read-rate", "500", "flows.txt")
    words, _, line = done.told[-1].partition(": ")
    assert (words, line) == ("To prove it", "flowreaper verify --read-rate 500 flows.txt.ckpt")
    proven = command.shell(line)
    assert proven.status == 0
    assert "0 of 3 deleted or absent flows remain" in proven.err


@pytest.mark.parametrize("words", ["--sandbox", "--log-format json"])
def test_a_rehearsal_and_a_log_for_machines_name_no_proof(command: Command, ids: Ids, words: str) -> None:
    command.write("flows.txt", *ids(3))
    done = command.delete(*words.split(), "flows.txt")
    assert done.status == 0
    assert "flowreaper verify" not in done.err
