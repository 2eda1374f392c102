"""What a person reads of a listing."""

import pytest

from flowreaper.cli.terminal.listing import decision_line, progress_line, sum_line
from flowreaper.job.flow_rules import Decision, Verdict
from flowreaper.job.listing import FoundFlow, Tally
from flowreaper.model import Flow


def tally(**decisions: int) -> Tally:
    made = Tally()
    made.seen = sum(decisions.values())
    for name, count in decisions.items():
        verdict, _, kind = name.partition("_")
        made.decisions[Verdict(verdict.replace("passed", "passed over")), kind.replace("_", "-")] = count
    return made


def test_the_sum_says_which_kinds_of_rules_decided_the_most_first() -> None:
    assert sum_line(
        tally(selected_name=512, kept_keep_name=2, kept_keep=1, passed_status=585, passed_name=1900)
    ) == (
        "3,000 flows listed: 512 selected, 3 kept (2 by keep-name, 1 by keep),"
        " 2,485 passed over (1,900 by name, 585 by status)"
    )


@pytest.mark.parametrize(
    ("seen", "text"), [(0, "0 flows listed: 0 selected"), (1, "1 flow listed: 1 selected")]
)
def test_the_sum_of_few_flows_is_a_sentence(seen: int, text: str) -> None:
    assert sum_line(tally(selected_=seen)) == text


def test_the_sum_counts_what_could_not_be_read() -> None:
    made = tally(passed_status=3)
    made.unknown = 2
    assert sum_line(made).endswith("the status of 2 could not be read")


def test_progress_says_what_is_done_and_how_much_is_left() -> None:
    made = tally(selected_name=5, passed_name=1200)
    made.doing = "looking at flows"
    made.to_look_at = 95
    assert progress_line(made) == "looking at flows, 1,205 seen, 5 selected, 95 left to look at"
    assert progress_line(Tally()) == "asking the service, 0 seen, 0 selected"


def test_a_decision_names_flow_space_name_and_rule_and_steers_nothing() -> None:
    found = FoundFlow(
        Flow("926", "cams-a"),
        "promo\x1b[2J\n",
        ("OTHER",),
        "",
        Decision(Verdict.KEPT, "keep-name", "keep-name p\x1b*"),
    )
    assert decision_line(found) == r"kept        926 in cams-a (promo\x1b[2J\x0a): keep-name p\x1b*"
