"""A plan comes back as it was written, or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.errors import InputError
from flowreaper.job.plan_file import PlannedFlow
from flowreaper.job.plan_reader import read_plan
from flowreaper.model import AnyEntry, Flow
from flowreaper.producer.files import read_entries
from flowreaper.producer.formats import Format, InputSettings
from flowreaper.producer.sources import Source, open_sources
from tests.job.plans import planned, write_plan

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
flows = st.builds(
    PlannedFlow, st.builds(Flow, texts, texts), texts, st.lists(texts, max_size=2).map(tuple), texts, texts
)


@settings(deadline=None)
@given(flows=st.lists(flows, max_size=5), data=st.data())
def test_whatever_flows_are_called_they_come_back_and_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, flows: list[PlannedFlow], data: st.DataObject
) -> None:
    path = write_plan(tmp_path_factory.mktemp("plan") / "plan.json", flows)
    with read_plan(path) as plan:
        assert list(plan.flows()) == flows
        assert plan.heading.selected == len(flows)
    whole = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    with pytest.raises(InputError):
        read_plan(path)


@pytest.mark.parametrize("more", [b', "account": "2"', b',\n"digest": "", "account": "2"', b" "])
def test_nothing_can_be_added_to_the_line_that_no_digest_covers(tmp_path: Path, more: bytes) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1)])
    before, line, after = path.read_bytes().partition(b'"digest": ')
    digest, comma, after = after.partition(b",\n")
    path.write_bytes(before + line + digest + more + comma + after)
    with pytest.raises(InputError, match="not as it was written"):
        read_plan(path)


@pytest.mark.parametrize("cut", [1, 2, 3, 10, 200, 700])
def test_a_plan_that_was_cut_is_refused(tmp_path: Path, cut: int) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1), planned(2), planned(3)])
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(InputError):
        read_plan(path)


def test_a_plan_with_a_flow_more_or_less_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1), planned(2)])
    text = path.read_text()
    for changed in (text.replace('"FlowId": "1"', '"FlowId": "9"'), text + '{"FlowId": "9"}\n', text + "\n"):
        path.write_text(changed)
        with pytest.raises(
            InputError, match=r"not as it was written: its digest does not match.*make a new plan"
        ):
            read_plan(path)


def test_a_plan_that_another_program_laid_out_anew_is_refused(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1)])
    path.write_text(json.dumps(json.loads(path.read_text())))
    with pytest.raises(InputError):
        read_plan(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1\n2\n",
        "{}\n",
        '{\n"kind": "other",\n"flows": [\n]\n}\n',
        '{\n"flows": [\n]\n}\n',
        "[" * 3000,
        "\0" * 50,
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match="is no plan"):
        read_plan(path)


def test_a_folder_a_pipe_and_nothing_are_no_plans(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("", "pipe"):
        with pytest.raises(InputError, match="is no plan"):
            read_plan(tmp_path / name)
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        read_plan(tmp_path / "none.json")


def test_a_plan_of_a_later_version_is_refused_as_such(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1)])
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(InputError, match="version 2, and this flowreaper knows version 1"):
        read_plan(path)


@pytest.mark.parametrize("value", [7, None, ["x"]])
def test_a_heading_of_other_types_is_damaged_whatever_its_digest(tmp_path: Path, value: object) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1)], account=value)
    with pytest.raises(InputError, match="damaged"):
        read_plan(path)


def test_a_time_that_is_none_is_damage(tmp_path: Path) -> None:
    for expires_at in ("soon", "2026-12-02T14:00:00"):  # without a zone, nobody knows when that is
        path = write_plan(tmp_path / f"{expires_at}.json", [planned(1)], expires_at=expires_at)
        with pytest.raises(InputError, match="damaged"):
            read_plan(path)


def test_what_was_checked_is_what_is_read_although_the_file_changes_meanwhile(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1)])
    with read_plan(path) as plan:
        path.write_text(path.read_text().replace('"FlowId": "1"', '"FlowId": "9"'))
        assert [flow.flow for flow in plan.flows()] == [Flow("1")]


def test_its_flows_can_be_read_as_a_source(tmp_path: Path) -> None:
    path = write_plan(tmp_path / "plan.json", [planned(1), planned(2, "cams-a")])
    with read_plan(path) as plan:
        source = Source("plan.json", "", rereadable=True, fd=plan.descriptor)
        for _ in range(2):
            entries = list(read_entries(source, InputSettings(Format.JSONL)))
            assert [(entry.source, entry.line) for entry in entries] == [("plan.json", 1), ("plan.json", 2)]
            assert [getattr(entry, "flow", None) for entry in entries] == [Flow("1"), Flow("2", "cams-a")]


@pytest.mark.parametrize("suffix", ["json", "txt", "jsonl", "csv", "ndjson", "plan"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_plan_that_is_given_as_a_plain_source_yields_no_flow(
    tmp_path: Path, suffix: str, count: int
) -> None:
    path = write_plan(tmp_path / f"plan.{suffix}", [planned(number) for number in range(count)])
    (source,) = open_sources([path], 0)
    found: list[AnyEntry] = []
    try:
        found.extend(read_entries(source, InputSettings()))  # what comes before an error stays in the list
    except InputError as error:
        assert "plan" in str(error)  # noqa: PT017 -- a suffix that lies may end in an error or in invalid lines
    assert [entry for entry in found if hasattr(entry, "flow")] == []
