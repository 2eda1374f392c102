"""Log events in words, for people."""

import io
import re
from pathlib import Path
from typing import Any

import pytest

from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.sentences import SENTENCES

PACKAGE = Path(__file__).parents[3] / "flowreaper"
NO_CONNECTION = "no connection: Cannot connect to host 127.0.0.1:18431"


def logged(event: str, **fields: Any) -> str:
    stream = io.StringIO()
    make_log(Screen(stream), LogFormat.TEXT, "info").warning(event, **fields)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("event", "fields", "sentence"),
    [
        (
            "outage.began",
            {"http_status": 0, "message": NO_CONNECTION},
            f"Nothing answers ({NO_CONNECTION}): the run waits and tries again",
        ),
        (
            "outage.began",
            {"http_status": 503, "message": ""},
            "Nothing answers (HTTP 503): the run waits and tries again",
        ),
        ("outage.ended", {"seconds": 95.2}, "The service answers again, after 1 min 35 s"),
        (
            "pace.waiting",
            {"seconds": 300.0, "code": "Throttling"},
            "The service asks to wait 5 min (Throttling)",
        ),
        (
            "pace.quota_shared",
            {"others_per_s": 2.0},
            "Another client of the account seems to take about 2 calls/s of its quota",
        ),
        (
            "rate.above_documented_quota",
            {"rate": 40.0, "documented": 5.0},
            "40 calls/s are more than the documented quota of 5",
        ),
        (
            "credentials.expire_before_the_end",
            {"valid_s": 3600.0, "estimated_s": 198_120.0},
            "The credentials are valid for 1 h, and the run takes about 55 h 2 min",
        ),
        (
            "results.completed",
            {"to": "out.jsonl", "outcomes_of_earlier_runs": 1200},
            "out.jsonl lacked 1,200 outcomes of earlier runs, which were added",
        ),
        (
            "reading.outage_began",
            {"operation": "GetFlow", "http_status": 0, "message": NO_CONNECTION},
            f"Nothing answers GetFlow ({NO_CONNECTION}): it is tried again",
        ),
        (
            "templates.read",
            {"cust_space_id": "", "flows_in_use": 1},
            "The templates open 1 flow",
        ),
        (
            "templates.read",
            {"cust_space_id": "cams-x", "flows_in_use": 1200},
            "The templates of the space cams-x open 1,200 flows",
        ),
    ],
)
def test_an_event_is_a_sentence_with_the_time(event: str, fields: dict[str, Any], sentence: str) -> None:
    assert re.fullmatch(rf"\d\d:\d\d:\d\d \[warning\] {re.escape(sentence)}\n", logged(event, **fields))


def test_foreign_text_in_a_sentence_is_escaped() -> None:
    line = logged("outage.began", http_status=503, message="\x1b[31m\nforged")
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


@pytest.mark.parametrize("event", SENTENCES)
def test_every_sentence_is_of_an_event_that_is_logged(event: str) -> None:
    elsewhere = (path for path in PACKAGE.rglob("*.py") if path.name != "sentences.py")
    assert any(f'"{event}"' in path.read_text(encoding="utf-8") for path in elsewhere)


EVERY = {
    "http_status": 503,
    "message": "",
    "seconds": 1.0,
    "code": "X",
    "others_per_s": 1.0,
    "sends": "nothing",
    "folder": "/run",
    "error": "full",
    "rate": 6.0,
    "documented": 5.0,
    "endpoint": "https://x",
    "type": "nfs",
    "checkpoint": "x.ckpt",
    "valid_s": 1.0,
    "estimated_s": 2.0,
    "service_date": "Thu",
    "to": "x",
    "outcomes_of_earlier_runs": 1,
    "spaces": 2,
    "operation": "GetFlow",
    "cust_space_id": "cams-x",
    "flows_in_use": 2,
    "flows": 5,
}


@pytest.mark.parametrize("event", SENTENCES)
def test_every_sentence_begins_as_one_and_leaves_the_full_stop_out(event: str) -> None:
    sentence = SENTENCES[event](EVERY)
    assert sentence[0].isupper() or sentence.split()[0] in {"6", "x"}
    assert not sentence.endswith(".")
