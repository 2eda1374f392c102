from collections import Counter

import pytest

from flowreaper.model import Flow
from flowreaper.sandbox.flow import FlowStatus
from flowreaper.sandbox.seed import seeded

CONTENT = seeded(2000, seed=7)
STATUSES = {stored.flow: stored.status for stored in CONTENT.flows}


def test_the_same_number_and_seed_make_the_same_account_and_others_another() -> None:
    assert seeded(2000, seed=7) == CONTENT
    assert seeded(2000, seed=8).flows != CONTENT.flows


@pytest.mark.parametrize("number", [1, 5, 19, 20, 21, 333])
def test_it_holds_as_many_flows_as_were_asked_for_and_a_template_for_twenty(number: int) -> None:
    content = seeded(number, seed=0)
    assert len(content.flows) == number
    assert len({template.code for template in content.templates}) == -(-number // 20)


def test_statuses_are_mixed_as_it_says() -> None:
    share = Counter(STATUSES.values())
    assert 0.66 < share[FlowStatus.DRAFT] / 2000 < 0.74
    assert 0.21 < share[FlowStatus.PUBLISHED] / 2000 < 0.29
    assert 0.03 < share[FlowStatus.DEPRECATED] / 2000 < 0.07
    assert 0 < sum(not stored.json_from for stored in CONTENT.flows) < 100


def test_ids_have_15_to_18_digits_and_none_occurs_twice() -> None:
    ids = [stored.flow.flow_id for stored in CONTENT.flows]
    assert {len(flow_id) for flow_id in ids} == {15, 16, 17, 18}
    assert all(flow_id.isdigit() for flow_id in ids)
    assert len(set(ids)) == 2000


def test_flows_lie_in_the_accounts_own_space_and_in_others_that_it_lists() -> None:
    used = {stored.flow.cust_space_id for stored in CONTENT.flows}
    listed = [instance.cust_space_id for instance in CONTENT.instances]
    assert "" in used
    assert used < set(listed)
    assert len(used) == 5
    assert len(set(listed)) == len(listed)


def test_names_have_patterns_and_some_are_hostile() -> None:
    names = [stored.name for stored in CONTENT.flows]
    for beginning in ("test-", "promo_2025_", "kyc "):
        assert sum(name.startswith(beginning) for name in names) > 100
    for part in ("\x1b[", ",", '"', "\n", "\u202e", "=", "../", "<script>"):
        assert any(part in name for name in names)


def test_templates_name_published_flows_and_a_few_drafts_of_their_own_space() -> None:
    named = [
        Flow(flow_id, template.cust_space_id)
        for template in CONTENT.templates
        for flow_id in template.flow_ids
    ]
    share = Counter(STATUSES[flow] for flow in named)
    assert set(share) == {FlowStatus.DRAFT, FlowStatus.PUBLISHED}
    assert 10 <= share[FlowStatus.DRAFT] < share[FlowStatus.PUBLISHED]


def test_templates_have_several_languages_states_and_kinds_of_buttons() -> None:
    templates = CONTENT.templates
    assert {template.audit_status for template in templates} == {"pass", "fail", "auditing", "unaudit"}
    assert len({template.language for template in templates}) > 4
    kinds = {button["Type"] for template in templates for button in template.buttons}
    assert kinds == {"FLOW", "URL", "PHONE_NUMBER", "QUICK_REPLY"}
    assert any(not template.buttons and not template.card_buttons for template in templates)
    assert any(template.card_buttons for template in templates)


def test_some_languages_of_one_template_name_flows_that_the_others_do_not() -> None:
    by_code: dict[str, list[tuple[str, ...]]] = {}
    for template in CONTENT.templates:
        by_code.setdefault(template.code, []).append(template.flow_ids)
    assert any(len(set(named)) > 1 and all(named) for named in by_code.values())
