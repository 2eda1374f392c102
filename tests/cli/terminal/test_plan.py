"""What a person reads of a plan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flowreaper.cli.terminal.plan import describe_plan
from flowreaper.model import State
from tests.job.plans import HEADING

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
PLAN = replace(HEADING, selected=7)


def facts(text: str) -> dict[str, str]:
    pairs = (line.split(":", 1) for line in text.splitlines())
    return {label: value.strip() for label, value in pairs}


def test_each_fact_has_a_line() -> None:
    found = facts(describe_plan("plan.json", PLAN, "sha256:1", None, NOW))
    assert found["Plan"] == "plan.json: 7 flows to delete, of 10 that were listed, 2 kept by keep rules"
    assert found["Account"] == "1000000000000001 (acs:ram::1000000000000001:user/cleaner)"
    assert found["Rules"] == "--name 'test-*'"
    assert found["Digest"] == "sha256:1"
    assert found["Job"] == "not begun"
    assert found["Made"].endswith(", 1 h ago")
    assert found["Expires"].endswith(", in 7 days")


def test_a_job_is_summed_up() -> None:
    job = Path("plan.json.ckpt"), {State.DELETED: 4, State.KEPT: 1, State.PENDING: 2, State.REFUSED: 0}
    found = facts(describe_plan("plan.json", PLAN, "sha256:1", job, NOW))
    assert found["Job"] == "plan.json.ckpt: 5 of 7 done (2 pending, 4 deleted, 1 kept)"


def test_a_plan_that_has_expired_says_so() -> None:
    found = facts(describe_plan("plan.json", PLAN, "sha256:1", None, NOW + timedelta(days=8)))
    assert "it has expired, and no job can begin with it" in found["Expires"]


def test_a_plan_without_account_and_filters_says_so() -> None:
    found = facts(describe_plan("p", replace(PLAN, account="", filters=()), "sha256:1", None, NOW))
    assert found["Account"] == "not known"
    assert found["Rules"] == "none: every flow of the account's own space"


def test_nothing_in_a_plan_steers_a_terminal() -> None:
    hostile = replace(
        PLAN, account="1\x1b[2J", arn="a\nb", endpoint="\x1b]0;x\x07", filters=("--name", "\x1b[31m")
    )
    text = describe_plan("plan.json", hostile, "sha256:1", None, NOW)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 8
