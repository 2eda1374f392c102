"""Finding flows from the command line: tables and pipes, rules, templates, trouble, hostile names."""

import csv
import io
import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from flowreaper.model import Flow
from flowreaper.sandbox.flow import FlowStatus, StoredFlow
from flowreaper.sandbox.seed import seeded
from tests.end_to_end.command import FLOWREAPER, Command, Finished, Service, clean_environment, ended, serve
from tests.end_to_end.terminal import Terminal

Begin = Callable[..., tuple[Service, Command]]

FLOWS = 420  # the account has every odd name that a seed makes
SEED = 7
ACCOUNT = seeded(FLOWS, SEED)
SPACES = [instance.cust_space_id for instance in ACCOUNT.instances if instance.cust_space_id]
USED = {
    Flow(flow_id, template.cust_space_id) for template in ACCOUNT.templates for flow_id in template.flow_ids
}


def flows(wanted: Callable[[StoredFlow], bool] = lambda _flow: True, space: str | None = "") -> list[Flow]:
    """Return the account's flows that are wanted, of one space or of all (None)."""
    return [flow.flow for flow in ACCOUNT.flows if wanted(flow) and space in (None, flow.flow.cust_space_id)]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A seeded sandbox that tests only read."""
    folder = tmp_path_factory.mktemp("account")
    with serve(
        Command(folder, clean_environment(folder)), "--seed-flows", str(FLOWS), "--seed", str(SEED)
    ) as service:
        yield service


@pytest.fixture
def lister(bare: Command, account: Service) -> Command:
    """The command pointed at the account."""
    return Command(bare.folder, bare.environment | account.environment)


def listed(command: Command, *words: str) -> Finished:
    return command.run("list", "--read-rate", "500", *words)


def of_csv(done: Finished) -> list[Flow]:
    assert done.status == 0, done.err
    return [Flow(row["FlowId"], row["CustSpaceId"]) for row in csv.DictReader(io.StringIO(done.out))]


def test_a_pipe_gets_the_ids_of_the_accounts_own_space(lister: Command) -> None:
    done = listed(lister)
    assert done.out.split() == [flow.flow_id for flow in flows()]
    assert done.err.splitlines()[-1] == f"{len(flows()):,} flows listed: {len(flows()):,} selected"


def test_a_pipe_gets_csv_where_a_flow_may_have_a_space(lister: Command) -> None:
    assert of_csv(listed(lister, "--cust-space-id", SPACES[0])) == flows(space=SPACES[0])
    both = listed(lister, "--cust-space-id", SPACES[1], "--cust-space-id", "-")
    assert of_csv(both) == flows(space=SPACES[1]) + flows()


def test_all_spaces_are_the_accounts_own_and_those_of_its_instances(lister: Command) -> None:
    found = of_csv(listed(lister, "--all-spaces"))
    assert len(found) == FLOWS
    assert set(found) == set(flows(space=None))


def test_rules_select_and_keep_and_the_list_says_which_decided(lister: Command) -> None:
    kept = [flow.flow for flow in ACCOUNT.flows if flow.name.startswith("promo_")][:2]
    lister.write("keep.csv", "FlowId,CustSpaceId", *(f"{flow.flow_id},{flow.cust_space_id}" for flow in kept))
    done = listed(
        lister,
        *("--all-spaces", "--name", "promo_*", "--status", "draft", "--unused"),
        *("--keep", "keep.csv", "--keep-name", "*_booking_*", "--verbose"),
    )
    wanted = flows(
        lambda flow: (
            flow.name.startswith("promo_")
            and "_booking_" not in flow.name
            and flow.status is FlowStatus.DRAFT
            and flow.flow not in USED
            and flow.flow not in kept
        ),
        space=None,
    )
    assert set(of_csv(done)) == set(wanted)
    decisions = {Flow(*key): line for key, line in map(decided, done.err.splitlines()[:-1])}
    assert len(decisions) == FLOWS
    for flow in kept:
        assert decisions[flow].startswith("kept")
        assert decisions[flow].endswith(f": keep {flow.flow_id}")
    assert decisions[wanted[0]].endswith(": name promo_*, unused, status DRAFT")
    assert f"{FLOWS} flows listed: {len(wanted)} selected" in done.err


def decided(line: str) -> tuple[tuple[str, str], str]:
    """Return the flow that a line of --verbose is about, and the line."""
    words = line.removeprefix("passed over").removeprefix("selected").removeprefix("kept").split()
    return (words[0], words[2] if words[1] == "in" else ""), line


def test_categories_are_of_any_case(lister: Command) -> None:
    done = listed(lister, "--all-spaces", "--category", "survey", "--category", "OTHER")
    assert set(of_csv(done)) == set(
        flows(lambda flow: {"SURVEY", "OTHER"} & set(flow.categories) != set(), None)
    )


def test_a_filter_that_matches_nothing_ends_with_2_and_says_what_was_looked_at(lister: Command) -> None:
    done = listed(lister, "--name", "Promo*")
    assert (done.status, done.out) == (2, "")
    many = len(flows())
    assert (
        f"no flow is selected: {many} flows listed: 0 selected, {many} passed over ({many} by name)"
        in done.err
    )


def test_an_undocumented_status_is_noted_before_flows_are_looked_at(lister: Command) -> None:
    done = listed(lister, "--name", "kyc *", "--status", "RETIRED")
    assert done.status == 2
    assert done.err.startswith("Note: --status RETIRED is none of the documented words")


def test_a_space_that_shows_no_flow_ends_with_2_and_says_where_spaces_are_listed(lister: Command) -> None:
    done = listed(lister, "--cust-space-id", SPACES[0], "--cust-space-id", "cams-mistyped")
    assert done.status == 2
    assert "no flow of the space cams-mistyped: `flowreaper spaces`" in done.err


def test_a_list_is_piped_into_delete_with_its_spaces(
    begin: Callable[..., tuple[Service, Command]],
) -> None:
    service, command = begin("--seed-flows", str(FLOWS), "--seed", str(SEED))
    words = " ".join(FLOWREAPER)
    done = command.shell(
        f"{words} list --all-spaces --status DRAFT --read-rate 500 | {words} delete --yes --rate 500 -c job.ckpt -"
    )
    drafts = flows(lambda flow: flow.status is FlowStatus.DRAFT, space=None)
    assert done.status == 0, done.err
    assert command.states("job.ckpt") == {"deleted": len(drafts)}
    called = sorted((call["flow_id"], call["cust_space_id"] or "") for call in service.ledger())
    assert called == sorted(drafts)


@pytest.mark.parametrize(
    "trouble",
    ["ListFlow/throttle:0.2", "ListFlow/reset-before:0.2,GetFlow/reset-before:0.1", "GetFlow/error-500:0.1"],
)
def test_trouble_changes_nothing_of_what_is_listed(
    begin: Callable[..., tuple[Service, Command]], trouble: str
) -> None:
    _, command = begin("--seed-flows", "300", "--seed", str(SEED), "--trouble", trouble)
    done = listed(command, "--all-spaces", "--status", "DRAFT", "--name", "test-*")
    account = seeded(300, SEED).flows
    assert set(of_csv(done)) == {
        flow.flow for flow in account if flow.status is FlowStatus.DRAFT and flow.name.startswith("test-")
    }


@pytest.mark.parametrize(
    ("operation", "words", "instead"),
    [
        ("ListFlow", (), "from another source"),
        ("GetFlow", ("--status", "DRAFT"), "--status"),
        ("ListInstance", ("--all-spaces",), "name each space with --cust-space-id"),
        ("ListChatappTemplate", ("--unused",), "leave out --unused"),
        ("GetChatappTemplateDetail", ("--unused",), "leave out --unused"),
    ],
)
def test_a_missing_permission_names_its_action_and_what_works_without(
    begin: Callable[..., tuple[Service, Command]], operation: str, words: tuple[str, ...], instead: str
) -> None:
    _, command = begin("--seed-flows", "60", "--deny", operation)
    done = listed(command, *words)
    assert (done.status, done.out) == (3, "")
    assert f"cams:{operation}" in done.err
    assert instead in done.err


def test_hostile_names_reach_nobody_unescaped(lister: Command) -> None:
    names = {flow.name for flow in ACCOUNT.flows}
    assert any("\x1b" in name for name in names)
    assert any("\n" in name for name in names)
    for shape in ("table", "csv", "jsonl"):
        done = listed(lister, "--all-spaces", "--format", shape, "--verbose")
        assert done.status == 0
        for text in (done.out, done.err):
            assert not {"\x1b", "\t", "\u202e", "\ufeff"} & set(text)
        assert len(done.out.splitlines()) == FLOWS + (shape != "jsonl")
        assert len(done.err.splitlines()) == FLOWS + 1
    assert {
        json.loads(line)["FlowName"]
        for line in listed(lister, "--all-spaces", "--format", "jsonl").out.splitlines()
    } == names
    cells = csv.DictReader(io.StringIO(listed(lister, "--all-spaces", "--format", "csv").out))
    assert not [row for row in cells if row["FlowName"].startswith(("=", "+", "-", "@"))]


def test_a_reader_that_wants_no_more_ends_the_list_quietly(lister: Command) -> None:
    words = " ".join(FLOWREAPER)
    done = lister.finish(
        "bash", "-c", f"{words} list --all-spaces --read-rate 2 | head -n 1; exit ${{PIPESTATUS[0]}}"
    )
    assert done.status == 141
    assert len(done.out.splitlines()) == 1
    assert done.err == ""


def test_rows_come_while_other_spaces_are_still_listed(lister: Command) -> None:
    with lister.flowreaper("list", "--all-spaces", "--read-rate", "2") as process:
        assert process.stdout
        assert process.stdout.readline() == "FlowId,CustSpaceId,FlowName,Categories\n"
        first = process.stdout.readline().split(",")[0]
        assert process.poll() is None
        process.terminate()
        ended(process)
    assert first == flows(lambda flow: not flow.flow.cust_space_id)[0].flow_id


def test_nothing_comes_of_a_list_by_status_that_cannot_be_read_to_its_end(begin: Begin) -> None:
    """Half a list would be deleted by what reads it."""
    _, command = begin("--seed-flows", "60", "--trouble", "GetFlow/answer:Ram.PermissionDeny:#20-")
    done = command.run("list", "--status", "DRAFT", "--read-rate", "100")
    assert done.status == 3
    assert "cams:GetFlow" in done.err
    assert done.out == ""


def test_ctrl_c_says_that_the_list_is_not_complete(lister: Command) -> None:
    with lister.flowreaper("list", "--all-spaces", "--read-rate", "2") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(2)
        done = ended(process)
    assert done.status == 130
    assert done.err == "Interrupted: the list is not complete. Nothing was changed.\n"


def test_standard_output_that_is_full_is_told(lister: Command) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full, lister.flowreaper("list", stdout=full) as process:  # noqa: PTH123 -- a device
        done = ended(process)
    assert done.status == 3
    assert "cannot write to standard output" in done.err


def test_on_a_terminal_it_is_a_table(lister: Command) -> None:
    with Terminal(lister, "list", "--all-spaces", "--name", "kyc *") as terminal:
        assert terminal.wait() == 0
        shown = terminal.shown
    head, *rows = [line for line in shown.splitlines() if line.strip()]
    assert head.split() == ["FLOW", "ID", "SPACE", "CATEGORIES", "NAME"]
    assert "flows listed" in rows[-1]


def test_spaces_are_listed_with_their_names(lister: Command) -> None:
    done = lister.run("spaces")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["CustSpaceId"] for row in rows] == SPACES
    assert rows[0] == {"CustSpaceId": SPACES[0], "InstanceName": "Mercado Azul", "State": "NORMAL"}
    lines = [json.loads(line) for line in lister.run("spaces", "--format", "jsonl").out.splitlines()]
    assert [line["CustSpaceId"] for line in lines] == SPACES
    assert lister.run("spaces", "--format", "table").out.splitlines()[0].split() == ["SPACE", "STATE", "NAME"]


def test_an_account_without_spaces_is_told(command: Command) -> None:
    done = command.run("spaces", "--format", "jsonl")
    assert (done.status, done.out) == (0, "")
    assert "no space besides its own" in done.err


def test_nobody_is_asked_whose_the_key_is_where_that_is_not_wanted(lister: Command) -> None:
    assert listed(lister, "--sts-endpoint", "http://127.0.0.1:1", "--no-identity").status == 0
    refused = listed(lister, "--expect-account", "42")
    assert (refused.status, refused.out) == (2, "")
    assert "1000000000000001" in refused.err


def test_a_progress_line_is_shown_where_only_standard_error_is_a_terminal(lister: Command) -> None:
    with Terminal(
        lister, "list", "--status", "DRAFT", "--read-rate", "40", stdout=subprocess.DEVNULL
    ) as terminal:
        assert terminal.wait() == 0
        shown = terminal.shown
    assert "looking at flows" in shown
    assert "left to look at" in shown


def test_no_status_line_is_drawn_where_a_pipes_reader_may_draw_on_the_same_terminal(lister: Command) -> None:
    line = f"{' '.join(FLOWREAPER)} list --status DRAFT --read-rate 40 | cat"
    with Terminal(lister, program=("/bin/sh", "-c", line)) as terminal:
        assert terminal.wait() == 0
        shown = terminal.shown
    assert "\x1b" not in shown
    # A line for a log may come on a slow machine; each ends, and none is written over.
    assert "\r" not in shown.replace("\r\n", "")
