"""What a backup says of a flow, whatever its id, its space and its name hold."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import (
    BackupEntry,
    Saved,
    details_of,
    digest_of,
    entry_of,
    flow_folder,
    line_of,
    read_line,
    space_folder,
)
from tests.safeguards.samples import JSON, ORIGIN, details, saved

HOSTILE = st.one_of(
    st.text(),
    st.text("./\\:~%aAcCoOnN \0\n", max_size=8),
    st.sampled_from(["..", ".", "", "/", "account", "con", "CON", "~new", "~", "aux", "a" * 300, "é", "é"]),
)
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@pytest.mark.parametrize(
    ("flow", "folders"),
    [
        (Flow("346699123"), ("account", "346699123")),
        (Flow("flow_001", "cams-x1"), ("cams-x1", "flow_001")),
        (Flow("flow_A"), ("account", "flow_%41")),
        (Flow("1", "account"), ("%61ccount", "1")),
        (Flow("con"), ("account", "%63on")),
        (Flow("../x"), ("account", "%2e%2e%2fx")),
    ],
)
def test_an_ordinary_id_is_its_folders_name(flow: Flow, folders: tuple[str, str]) -> None:
    assert (space_folder(flow), flow_folder(flow)) == folders
    assert flow_folder(flow, 2) == f"{folders[1]}~2"


@given(HOSTILE, HOSTILE, st.integers(1, 10**6))
def test_a_folders_name_is_one_on_every_file_system(flow_id: str, space: str, copy: int) -> None:
    flow = Flow(flow_id, space)
    for name in (space_folder(flow), flow_folder(flow), flow_folder(flow, copy)):
        assert re.fullmatch("[a-z0-9_%~-]{1,200}", name)
        assert not RESERVED.fullmatch(name)
        assert name != "~new"


@given(st.tuples(HOSTILE, HOSTILE), st.tuples(HOSTILE, HOSTILE))
def test_two_flows_never_share_a_folder(one: tuple[str, str], other: tuple[str, str]) -> None:
    folders = [(space_folder(Flow(*each)), flow_folder(Flow(*each))) for each in (one, other)]
    assert (folders[0] == folders[1]) == (one == other)


@given(HOSTILE, HOSTILE, st.integers(2, 99))
def test_a_copy_never_has_the_name_of_another_flow(one: str, other: str, copy: int) -> None:
    assert flow_folder(Flow(one), copy) != flow_folder(Flow(other))


@given(
    st.text(min_size=1),
    st.text(),
    st.text(),
    st.lists(st.text()),
    st.one_of(st.none(), st.binary()),
)
def test_a_line_is_read_as_it_was_written(
    flow_id: str, space: str, name: str, categories: list[str], content: bytes | None
) -> None:
    flow = Flow(flow_id, space)
    whole = Saved(details()._replace(flow=flow, name=name, categories=tuple(categories)), content, "now")
    entry = entry_of(whole, f"{space_folder(flow)}/{flow_folder(flow)}", ORIGIN)
    line = line_of(entry)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert read_line(line) == entry
    assert entry.flow == flow
    assert (entry.sha256, entry.bytes) == (
        (digest_of(content), len(content)) if content is not None else (None, 0)
    )


@pytest.mark.parametrize(
    "folder",
    ["", "x", "/etc/passwd", "../x", "account/../..", "account/", "/1", "account/a/b", "account/.", "a\0/b"],
)
def test_a_line_that_leads_out_of_the_backup_is_not_read(folder: str) -> None:
    assert read_line(line_of(entry_of(saved(), folder, ORIGIN))) is None


@given(st.one_of(st.binary(), st.text().map(lambda text: json.dumps({"flow_id": text}).encode())))
def test_no_other_line_is_an_entry(line: bytes) -> None:
    assert read_line(line) is None


@pytest.mark.parametrize("name", ["flow_id", "cust_space_id", "name", "folder"])
def test_a_line_without_what_restoring_needs_is_not_read(name: str) -> None:
    line = json.loads(line_of(entry_of(saved(), "account/1", ORIGIN)))
    del line[name]
    assert read_line(json.dumps(line).encode()) is None


def test_a_line_with_fields_of_other_types_is_read_without_them() -> None:
    line = json.loads(line_of(entry_of(saved(), "account/1", ORIGIN)))
    line |= {
        "categories": 1,
        "sha256": 2,
        "bytes": True,
        "account": None,
        "endpoint": [],
        "status": [],
        "saved_at": {},
    }
    assert read_line(json.dumps(line).encode()) == BackupEntry(
        "346699123", "", "promo", (), "", "", "account/1", None, 0, "", ""
    )


def test_the_details_are_the_services_whole_answer_and_where_it_comes_from() -> None:
    whole = json.loads(details_of(saved(), ORIGIN, "1.2"))
    assert whole["GetFlow"] == details().content
    assert whole["flowreaper"] == {
        "flow_id": "346699123",
        "cust_space_id": "",
        "saved_at": "2026-11-25T19:00:00.000Z",
        "version": "1.2",
        "account": ORIGIN.account,
        "endpoint": ORIGIN.endpoint,
        "sha256": digest_of(JSON),
    }


def test_an_entry_names_its_file() -> None:
    assert entry_of(saved(), "account/1", ORIGIN).file == "account/1/flow.json"
