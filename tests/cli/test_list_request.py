"""What the options of list ask for, and which of them are refused."""

from pathlib import Path

import click
import pytest

from flowreaper.cli.commands.list import command
from flowreaper.cli.flow_formats import FlowFormat
from flowreaper.cli.list_request import list_request, undocumented_words
from flowreaper.cli.listing import ListRequest
from flowreaper.errors import ConfigurationError, InputError
from flowreaper.model import Flow


def request(*words: str, is_terminal: bool = False) -> ListRequest:
    with command.make_context("list", [*words]) as ctx:
        return list_request(ctx, ctx.params, is_terminal=is_terminal)


@pytest.mark.parametrize(
    ("words", "spaces"),
    [
        ((), ("",)),
        (("--cust-space-id", "cams-a"), ("cams-a",)),
        (("--cust-space-id", "cams-a", "--cust-space-id", "-", "--cust-space-id", "cams-a"), ("cams-a", "")),
        (("--all-spaces",), None),
    ],
)
def test_spaces_are_listed_once_and_a_dash_is_the_accounts_own(
    words: tuple[str, ...], spaces: tuple[str, ...] | None
) -> None:
    assert request(*words).spaces == spaces


@pytest.mark.parametrize(
    ("words", "is_terminal", "flow_format"),
    [
        ((), True, FlowFormat.TABLE),
        ((), False, FlowFormat.IDS),
        (("--cust-space-id", "-"), False, FlowFormat.IDS),
        (("--cust-space-id", "cams-a"), False, FlowFormat.CSV),
        (("--all-spaces",), False, FlowFormat.CSV),
        (("--format", "jsonl"), True, FlowFormat.JSONL),
        (("--plan", "new.json"), True, None),
        (("--plan", "new.json", "--format", "table"), False, FlowFormat.TABLE),
    ],
)
def test_the_output_fits_its_reader(
    words: tuple[str, ...], flow_format: FlowFormat | None, *, is_terminal: bool
) -> None:
    assert request(*words, is_terminal=is_terminal).flow_format is flow_format


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--all-spaces", "--cust-space-id", "cams-a"), "leave out --cust-space-id, or --all-spaces"),
        (("--cust-space-id", ""), "is empty: write - for the account's own"),
        (("--cust-space-id", "a b"), "'a b' has white space"),
        (("--format", "ids", "--all-spaces"), "would lose the spaces"),
        (("--format", "ids", "--cust-space-id", "cams-a"), "would lose the spaces"),
        (("--name", ""), "--name is empty"),
        (("--keep-name", ""), "--keep-name is empty"),
        (("--status", ""), "--status is empty"),
        (("--category", ""), "--category is empty"),
        (
            ("--status", "DRAFT", "--status", "publish"),
            "--status publish is no status. Did you mean PUBLISHED",
        ),
        (("--status", "drafts"), "--status drafts is no status. Did you mean DRAFT"),
        (("--plan", "missing/plan.json"), "--plan missing/plan.json: there is no such folder"),
        (("--force",), "--force is about the file of --plan"),
        (("--plan-expires", "soon"), "--plan-expires soon is no time span"),
        (("--plan-expires", "0s"), "more than 0"),
        (("--plan-expires", "99999w"), "at most a year"),
    ],
)
def test_what_contradicts_itself_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        request(*words)


@pytest.mark.parametrize("word", ["draft", "DEPRECATED", "BLOCKED", "THROTTLED"])
def test_a_status_in_any_case_and_one_that_is_not_documented_can_be_asked_for(word: str) -> None:
    assert request("--status", word).rules.statuses == (word,)


def test_a_plan_over_another_file_is_refused_before_anything_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("")
    with pytest.raises(ConfigurationError, match="already exists"):
        request("--plan", str(path))
    assert request("--plan", str(path), "--force").replace_plan


@pytest.mark.parametrize(
    ("name", "text", "flows"),
    [
        ("ids.txt", "11\n# a comment\n12\n", {Flow("11"), Flow("12")}),
        ("ids.csv", "FlowId,CustSpaceId\n11,cams-a\n12,\n", {Flow("11", "cams-a"), Flow("12")}),
        ("ids.jsonl", '{"FlowId": "11", "CustSpaceId": "cams-a"}\n', {Flow("11", "cams-a")}),
    ],
)
def test_flows_to_keep_come_from_any_format_that_delete_reads(
    tmp_path: Path, name: str, text: str, flows: set[Flow]
) -> None:
    (tmp_path / name).write_text(text)
    assert request("--keep", str(tmp_path / name)).rules.keep.flows == flows


def test_a_line_of_the_flows_to_keep_that_is_no_id_is_refused_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("11\n9.26E+17\n")
    with pytest.raises(ConfigurationError, match=r"--keep .*ids.txt, line 2: .*rounded number.*9.26E\+17"):
        request("--keep", str(tmp_path / "ids.txt"))


def test_a_file_of_flows_to_keep_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"none.txt: cannot be opened"):
        request("--keep", "none.txt")


def test_the_filters_are_noted_as_they_were_typed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWREAPER_LIST_CATEGORY", "OTHER")
    with command.make_context(
        "list", ["--name", "a*", "--unused", "--name", "b c", "-v"], auto_envvar_prefix="FLOWREAPER_LIST"
    ) as ctx:
        assert isinstance(ctx, click.Context)
        made = list_request(ctx, ctx.params, is_terminal=False)
    assert made.filters == ("--name", "a*", "--name", "b c", "--category", "OTHER", "--unused")


@pytest.mark.parametrize(
    ("words", "notes"),
    [
        ((), []),
        (("--status", "draft", "--status", "DEPRECATED", "--category", "sign_up"), []),
        (("--status", "DRAFTS"), [("--status DRAFTS", "Did you mean DRAFT?")]),
        (("--category", "SIGNUP"), [("--category SIGNUP", "Did you mean SIGN_UP?")]),
        (("--status", "\x1b[2J"), [("--status \\x1b[2J", "DEPRECATED.")]),
    ],
)
def test_a_word_that_the_service_does_not_document_is_noted(
    words: tuple[str, ...], notes: list[tuple[str, str]]
) -> None:
    with command.make_context("list", [*words]) as ctx:
        said = undocumented_words(ctx.params)
    assert len(said) == len(notes)
    for sentence, (start, end) in zip(said, notes, strict=True):
        assert sentence.startswith(start)
        assert sentence.endswith(end)
