"""Keep rules beat select rules, and neither the order of rules nor of flows changes a decision."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.client.actions import ListedFlow, TemplateId
from flowreaper.job.flow_rules import WANTED, Decision, FlowRules, KeepList, Verdict
from flowreaper.model import Flow

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None)

names = st.text(string.ascii_letters + "*?[]-", max_size=6)
globs = st.lists(names.filter(bool), max_size=4).map(tuple)
words = st.lists(st.sampled_from(["OTHER", "SURVEY", "sign_in"]), max_size=3).map(tuple)
flows = st.builds(Flow, st.sampled_from(["1", "2", "3"]), st.sampled_from(["", "cams-a"]))
listed_flows = st.builds(ListedFlow, flows, names, words)
rules = st.builds(
    FlowRules,
    names=globs,
    categories=words,
    statuses=st.lists(st.sampled_from(["DRAFT", "published"]), max_size=2).map(tuple),
    unused=st.booleans(),
    keep=st.frozensets(flows, max_size=3).map(KeepList),
    keep_names=globs,
)
TEMPLATE = TemplateId("t1", "welcome", "en", "APPROVED")


def flow(name: str = "promo", *categories: str, flow_id: str = "1", space: str = "") -> ListedFlow:
    return ListedFlow(Flow(flow_id, space), name, categories)


def decide(rules: FlowRules, listed: ListedFlow, status: str = "DRAFT", *, used: bool = False) -> Decision:
    decision = rules.by_listing(listed).also(rules.by_use(TEMPLATE if used else None))
    return decision.also(rules.by_status(status)) if decision.verdict is Verdict.SELECTED else decision


@unhurried
@given(rules, listed_flows)
def test_what_a_keep_rule_names_is_kept_whatever_selects_it(rules: FlowRules, listed: ListedFlow) -> None:
    kept = FlowRules(**{name: getattr(rules, name) for name in ("names", "categories", "statuses", "unused")})
    by_id = FlowRules(keep=KeepList({listed.flow}))
    by_name = FlowRules(keep_names=("*",))
    for keep in (by_id, by_name):
        both = FlowRules(
            names=kept.names,
            categories=kept.categories,
            statuses=kept.statuses,
            unused=kept.unused,
            keep=keep.keep,
            keep_names=keep.keep_names,
        )
        assert both.by_listing(listed).verdict is Verdict.KEPT


@unhurried
@given(
    rules=rules, listed=listed_flows, status=st.sampled_from(["DRAFT", "PUBLISHED", ""]), used=st.booleans()
)
def test_the_order_of_the_rules_changes_nothing(
    rules: FlowRules,
    listed: ListedFlow,
    status: str,
    *,
    used: bool,
) -> None:
    turned = FlowRules(
        names=rules.names[::-1],
        categories=rules.categories[::-1],
        statuses=rules.statuses[::-1],
        unused=rules.unused,
        keep=rules.keep,
        keep_names=rules.keep_names[::-1],
    )
    assert decide(rules, listed, status, used=used) == decide(turned, listed, status, used=used)


@unhurried
@given(
    rules=rules, listed=listed_flows, status=st.sampled_from(["DRAFT", "PUBLISHED", ""]), used=st.booleans()
)
def test_a_further_select_rule_of_another_kind_selects_no_more(
    rules: FlowRules,
    listed: ListedFlow,
    status: str,
    *,
    used: bool,
) -> None:
    without = FlowRules(names=rules.names, keep=rules.keep, keep_names=rules.keep_names)
    if decide(rules, listed, status, used=used).verdict is Verdict.SELECTED:
        assert decide(without, listed, status, used=used).verdict is Verdict.SELECTED


@pytest.mark.parametrize(
    ("rules", "verdict", "rule"),
    [
        (FlowRules(), Verdict.SELECTED, "no rule"),
        (FlowRules(names=("promo*",)), Verdict.SELECTED, "name promo*"),
        (FlowRules(names=("x", "p*", "promo")), Verdict.SELECTED, "name p*"),
        (FlowRules(names=("Promo*",)), Verdict.PASSED_OVER, "no name matches"),
        (FlowRules(names=("promo",)), Verdict.PASSED_OVER, "no name matches"),
        (FlowRules(names=("promo_[12]",)), Verdict.SELECTED, "name promo_[12]"),
        (FlowRules(categories=("survey",)), Verdict.SELECTED, "category SURVEY"),
        (FlowRules(categories=("OTHER",)), Verdict.PASSED_OVER, "no category matches"),
        (FlowRules(statuses=("draft",)), Verdict.SELECTED, "status DRAFT"),
        (FlowRules(statuses=("PUBLISHED",)), Verdict.PASSED_OVER, "status DRAFT"),
        (FlowRules(unused=True), Verdict.PASSED_OVER, "used by the template t1"),
        (FlowRules(names=("x",), categories=("SURVEY",)), Verdict.PASSED_OVER, "no name matches"),
        (FlowRules(names=("p*",), statuses=("DRAFT",)), Verdict.SELECTED, "name p*, status DRAFT"),
        (FlowRules(names=("p*",), keep_names=("*_1",)), Verdict.KEPT, "keep-name *_1"),
        (FlowRules(names=("p*",), keep=KeepList({Flow("9")})), Verdict.KEPT, "keep 9"),
    ],
)
def test_the_rule_that_decided_is_named(rules: FlowRules, verdict: Verdict, rule: str) -> None:
    decision = decide(rules, flow("promo_1", "SURVEY", flow_id="9"), used=True)
    assert (decision.verdict, decision.rule) == (verdict, rule)


def test_a_status_that_is_not_known_is_never_selected() -> None:
    for wanted in ("DRAFT", ""):
        decision = FlowRules(statuses=(wanted,)).by_status("")
        assert (decision.verdict, decision.rule) == (Verdict.PASSED_OVER, "status unknown")


def test_an_id_without_a_space_keeps_that_flow_in_every_space() -> None:
    keep = KeepList({Flow("1"), Flow("2", "cams-a")})
    assert Flow("1", "cams-a") in keep
    assert Flow("2", "cams-a") in keep
    assert Flow("2", "cams-b") not in keep
    assert Flow("2") not in keep


def test_decisions_without_a_rule_add_nothing() -> None:
    named = Decision(Verdict.SELECTED, "name", "name p*")
    assert WANTED.also(named) == named
    assert named.also(WANTED) == named


@pytest.mark.parametrize(
    "rules",
    [
        FlowRules(names=("a",)),
        FlowRules(categories=("a",)),
        FlowRules(statuses=("a",)),
        FlowRules(unused=True),
        FlowRules(keep_names=("a",)),
        FlowRules(keep=KeepList({Flow("1")})),
    ],
)
def test_any_rule_counts_as_one(rules: FlowRules) -> None:
    assert rules.any
    assert not FlowRules().any
