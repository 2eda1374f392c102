import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.sandbox.trouble import Rule, Script, Trouble, parse_script


def decisions(text: str, calls: int, seed: int = 0) -> list[Trouble | None]:
    script = Script(parse_script(text), seed)
    rules = [script.decide(number) for number in range(1, calls + 1)]
    return [rule and rule.trouble for rule in rules]


def test_a_script_is_read_rule_by_rule() -> None:
    assert parse_script("reset-after:0.05, html-503:#10-20,deny:#40,throttle:#50-") == (
        Rule(Trouble.RESET_AFTER, chance=0.05),
        Rule(Trouble.HTML_503, first=10, last=20),
        Rule(Trouble.DENY, first=40, last=40),
        Rule(Trouble.THROTTLE, first=50, last=math.inf),
    )


@pytest.mark.parametrize("code", ["Product.Unsubscript", "999999", "ERR-FB_001", "0.5", "A"])
def test_answer_takes_any_code_by_chance_or_number(code: str) -> None:
    assert parse_script(f"answer:{code}:0.25,answer:{code}:#10-20") == (
        Rule(Trouble.ANSWER, chance=0.25, code=code),
        Rule(Trouble.ANSWER, first=10, last=20, code=code),
    )


def test_a_rule_is_named_with_its_code() -> None:
    names = [rule.name for rule in parse_script("deny:#1,answer:Some.Code:#2")]
    assert names == ["deny", "answer:Some.Code"]


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_says_what_it_does(trouble: Trouble) -> None:
    assert trouble.meaning
    assert trouble.acts == trouble.meaning.startswith("the flow is deleted")


def test_no_text_is_no_trouble() -> None:
    assert decisions("", 100) == [None] * 100


@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble is not Trouble.ANSWER])
def test_every_trouble_but_answer_can_be_asked_for_by_name_alone(trouble: Trouble) -> None:
    assert decisions(f"{trouble}:#2", 3) == [None, trouble, None]


def test_a_range_holds_both_its_ends_and_an_open_one_has_no_end() -> None:
    assert decisions("deny:#2-3,empty:#5-", 6) == [
        None,
        Trouble.DENY,
        Trouble.DENY,
        None,
        Trouble.EMPTY,
        Trouble.EMPTY,
    ]


def test_a_number_comes_before_chance_and_an_earlier_rule_before_a_later_one() -> None:
    assert decisions("garbage:1,deny:#2,empty:#1-2", 3) == [Trouble.EMPTY, Trouble.DENY, Trouble.GARBAGE]


def test_each_probability_is_kept_beside_the_others() -> None:
    counts: Counter[Trouble | None] = Counter(decisions("garbage:0.1,empty:.2,deny:0.3", 20_000))
    assert [counts[kind] / 20_000 for kind in (Trouble.GARBAGE, Trouble.EMPTY, Trouble.DENY, None)] == [
        pytest.approx(share, abs=0.015) for share in (0.1, 0.2, 0.3, 0.4)
    ]


@given(st.integers())
def test_the_same_seed_decides_the_same(seed: int) -> None:
    assert decisions("garbage:0.5", 50, seed) == decisions("garbage:0.5", 50, seed)


def test_another_seed_decides_otherwise() -> None:
    assert decisions("garbage:0.5", 50, 1) != decisions("garbage:0.5", 50, 2)


def test_a_numbered_rule_does_not_move_the_chances_of_later_calls() -> None:
    assert decisions("garbage:0.5,deny:#1-10", 50)[10:] == decisions("garbage:0.5", 50)[10:]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("flood:0.1", "unknown trouble 'flood'; choose from reset-before, "),
        ("\x1b[2J", r"unknown trouble '\\x1b\[2J'; choose from "),
        ("deny", "cannot read trouble 'deny'; write KIND:PROBABILITY"),
        ("deny:Some.Code:0.5", "cannot read trouble 'deny:Some.Code:0.5'"),
        ("answer:0.5", "cannot read trouble 'answer:0.5'; write answer:CODE:PROBABILITY"),
        ("answer::0.5", "cannot read trouble 'answer::0.5'"),
        ("answer:a b:0.5", "a CODE holds letters, digits"),
        ("answer:Some.Code", "cannot read trouble"),
        ("deny:1.5", "'deny:1.5': a probability is above 0"),
        ("deny:0", "a probability is above 0"),
        ("deny:-1", "cannot read trouble"),
        ("deny:nan", "cannot read trouble"),
        ("deny:#0", "counted from 1"),
        ("deny:#9-3", "a range goes upwards"),
        ("deny:0.6,empty:0.6", r"add up to 1\.2"),
        ("deny:#1\x1b[2J", r"cannot read trouble 'deny:#1\\x1b\[2J'"),
    ],
)
def test_a_script_that_cannot_be_read_says_which_part_and_why(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse_script(text)


@given(st.text())
def test_any_text_is_a_script_or_a_printable_configuration_error(text: str) -> None:
    complaint = ""
    try:
        parse_script(text)
    except ConfigurationError as error:
        complaint = str(error)
    assert complaint == printable(complaint, 1000)


@given(
    st.from_regex(
        r"(deny|empty|answer:[A-Za-z0-9._-]{1,9}):(#[0-9]{1,20}(-[0-9]{0,20})?|[0-9]{0,5}\.?[0-9]{0,5})",
        fullmatch=True,
    )
)
def test_any_rule_of_nearly_the_right_shape_is_read_or_a_configuration_error(text: str) -> None:
    try:
        (rule,) = parse_script(text)
    except ConfigurationError:
        return
    assert 0 < rule.chance <= 1 or 1 <= rule.first <= rule.last


def test_a_rule_is_about_delete_flow_or_about_the_operation_that_it_begins_with() -> None:
    rules = parse_script("throttle:#1,GetFlow/throttle:#1,FlowJSON/answer:Some.Code:0.5,DeleteFlow/deny:#2")
    assert [rule.operation for rule in rules] == ["DeleteFlow", "GetFlow", "FlowJSON", "DeleteFlow"]
    assert [rule.name for rule in rules] == ["throttle", "throttle", "answer:Some.Code", "deny"]


@pytest.mark.parametrize("text", ["GetFlows/throttle:1", "/throttle:1", "getflow/throttle:1"])
def test_an_unknown_operation_is_named_with_those_that_there_are(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown operation '.*choose from DeleteFlow, ListFlow, "):
        parse_script(text)


def test_each_operation_has_a_probability_of_one_to_share_out() -> None:
    assert len(parse_script("throttle:0.9,GetFlow/throttle:0.9,ListFlow/throttle:0.9")) == 3
    with pytest.raises(ConfigurationError, match=r"script for GetFlow add up to 1\.8"):
        parse_script("GetFlow/throttle:0.9,GetFlow/deny:0.9")
