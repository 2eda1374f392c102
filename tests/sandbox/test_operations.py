import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.sandbox.account import Account, Instance
from flowreaper.sandbox.answer import Answer
from flowreaper.sandbox.operations import OPERATIONS, Asked
from flowreaper.sandbox.paging import PageRules
from flowreaper.sandbox.parameters import Parameters
from flowreaper.sandbox.service import Service
from flowreaper.sandbox.template import Template, flow_button

SPACE = "cams-x"
FILE = "https://files.example/1.json"
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def account() -> Account:
    return Account(
        "1000000000000001",
        Service(),
        "none",
        5,
        templates=[
            Template("t1", "spring_sale", "en_US", SPACE, buttons=(flow_button("1"),)),
            Template("t1", "spring_sale", "es", SPACE, "fail", buttons=(flow_button("2"),)),
            Template("t2", "autumn", "en_US", SPACE, "auditing", "UTILITY", card_buttons=({"Type": "URL"},)),
            Template("t3", "spring_other", "en_US"),
        ],
        instances=[
            Instance("i1", "Own", ""),
            Instance("i2", "Mercado", SPACE),
            Instance("i3", "Viber", "cams-v", "VIBER"),
        ],
    )


def ask(of: Account, operation: str, /, **parameters: str) -> Answer:
    run = OPERATIONS[operation].run
    assert run is not None
    read = Parameters(list(parameters.items()), [])
    return run(Asked(of, read, 1000.0, PageRules(100), lambda flow: f"https://files.example/{flow.flow_id}"))


def content(answer: Answer) -> Any:
    assert answer.code == "OK", answer
    return answer.content


def codes(answer: Answer) -> list[str]:
    return [
        f"{template['TemplateCode']} {template['Language']}" for template in content(answer)["ListTemplate"]
    ]


def test_get_flow_tells_every_field_of_the_official_model() -> None:
    data = content(ask(account(), "GetFlow", FlowId="1"))["Data"]
    assert set(data) == {
        *("FlowId", "FlowName", "Status", "Categories", "JSONVersion", "DataApiVersion"),
        *("PreviewUrl", "PreviewUrlExpires", "EndpointUri"),
    }
    assert (data["FlowId"], data["Status"]) == ("1", "DRAFT")
    assert data["PreviewUrlExpires"] == (1000 + 30 * 86_400) * 1000


@pytest.mark.parametrize(
    "operation", ["GetFlow", "GetFlowJSONAssest", "PublishFlow", "DeprecateFlow", "UpdateFlowJSONAsset"]
)
def test_an_operation_on_a_flow_says_so_where_there_is_none(operation: str) -> None:
    of = account()
    of.service.delete(of.service.create(SPACE, "a", ("OTHER",)).flow)
    flow_id = "700000000000001"
    assert ask(of, operation, FlowId=flow_id, CustSpaceId=SPACE, FilePath=FILE).code == "Flow.NotExist"
    assert ask(of, operation, CustSpaceId=SPACE, FilePath=FILE).code == "MissingFlowId"


def test_a_created_flow_is_a_listed_draft_without_a_json() -> None:
    of = account()
    made = content(
        ask(
            of,
            "CreateFlow",
            FlowName="a",
            Categories='["SURVEY","OTHER"]',
            EndpointUri="https://e",
            CustSpaceId=SPACE,
        )
    )["Data"]
    assert made == {"FlowId": made["FlowId"], "FlowName": "a", "Categories": ["SURVEY", "OTHER"]}
    assert content(ask(of, "ListFlow", CustSpaceId=SPACE))["Data"] == [made]
    assert content(ask(of, "ListFlow"))["Data"] == []
    found = content(ask(of, "GetFlow", FlowId=made["FlowId"], CustSpaceId=SPACE))["Data"]
    assert (found["Status"], found["EndpointUri"], found["JSONVersion"]) == ("DRAFT", "https://e", "")
    asked = {"FlowId": made["FlowId"], "CustSpaceId": SPACE}
    assert content(ask(of, "GetFlowJSONAssest", **asked))["Data"] == {
        "FlowId": made["FlowId"],
        "FilePath": "",
    }
    ask(of, "UpdateFlowJSONAsset", **asked, FilePath=FILE)
    path = content(ask(of, "GetFlowJSONAssest", **asked))["Data"]["FilePath"]
    assert path == f"https://files.example/{made['FlowId']}"


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Categories": '["OTHER"]'}, "MissingFlowName"),
        ({"FlowName": "a"}, "MissingCategories"),
        ({"FlowName": "a", "Categories": "OTHER"}, "InvalidCategories"),
        ({"FlowName": "a", "Categories": '["other"]'}, "InvalidCategories"),
        ({"FlowName": "a", "Categories": "[]"}, "InvalidCategories"),
        ({"FlowName": "a", "Categories": "[[]]"}, "InvalidCategories"),
        ({"FlowName": "a", "Categories": "[" * 100_000}, "InvalidCategories"),
    ],
)
def test_a_flow_that_cannot_be_made_is_refused(parameters: dict[str, str], code: str) -> None:
    of = account()
    assert ask(of, "CreateFlow", **parameters).code == code
    assert of.service.stored == {}


@pytest.mark.parametrize(
    ("path", "code"),
    [("", "MissingFilePath"), ("flow.json", "InvalidFilePath"), ("file:///a", "InvalidFilePath")],
)
def test_a_json_without_an_address_is_refused(path: str, code: str) -> None:
    assert ask(account(), "UpdateFlowJSONAsset", FlowId="1", FilePath=path).code == code


def test_flows_are_listed_by_a_part_of_their_name_and_page_by_page() -> None:
    of = account()
    for n in range(25):
        of.service.create("", f"test-{n}", ("OTHER",))
    names = [flow["FlowName"] for flow in content(ask(of, "ListFlow", FlowName="st-1"))["Data"]]
    assert names == ["test-1", *(f"test-{n}" for n in range(10, 20))]
    assert len(content(ask(of, "ListFlow"))["Data"]) == 20
    page = json.dumps({"Index": 3, "Size": 10})
    assert [f["FlowName"] for f in content(ask(of, "ListFlow", Page=page))["Data"]] == [
        f"test-{n}" for n in range(20, 25)
    ]
    assert ask(of, "ListFlow", Page="x").code == "InvalidPage"


def test_instances_are_listed_with_their_spaces_and_how_many_there_are() -> None:
    of = account()
    listed = content(ask(of, "ListInstance", PageSize="2"))
    assert [instance["CustSpaceId"] for instance in listed["Data"]] == ["", SPACE]
    assert (listed["TotalCount"], listed["Success"]) == (3, True)
    assert set(listed["Data"][0]) >= {"InstanceId", "InstanceName", "CustSpaceId", "State", "SubmitTime"}


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"ChannelType": "WHATSAPP"}, ["i1", "i2"]),
        ({"InstanceName": "erc"}, ["i2"]),
        ({"InstanceId": "i3"}, ["i3"]),
        ({"PageIndex": "2", "PageSize": "2"}, ["i3"]),
        ({"PageIndex": "9"}, []),
    ],
)
def test_instances_are_found_by_what_they_are(parameters: dict[str, str], found: list[str]) -> None:
    listed = content(ask(account(), "ListInstance", **parameters))
    assert [instance["InstanceId"] for instance in listed["Data"]] == found


def test_an_account_without_instances_lists_one_for_each_space_that_it_knows() -> None:
    of = Account("1", Service(known={"1", "cams-a,2"}), "none", 5)
    listed = content(ask(of, "ListInstance"))
    assert [instance["CustSpaceId"] for instance in listed["Data"]] == ["", "cams-a"]
    assert all(instance["InstanceName"] for instance in listed["Data"])


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["t1 en_US", "t1 es", "t2 en_US"]),
        ({"Name": "spring"}, ["t1 en_US", "t1 es"]),
        ({"Code": "t2"}, ["t2 en_US"]),
        ({"Language": "es"}, ["t1 es"]),
        ({"Category": "UTILITY"}, ["t2 en_US"]),
        ({"AuditStatus": "pass"}, ["t1 en_US"]),
        ({"TemplateType": "VIBER"}, []),
    ],
)
def test_templates_of_a_space_are_found_by_what_they_are(
    parameters: dict[str, str], found: list[str]
) -> None:
    answer = ask(account(), "ListChatappTemplate", CustSpaceId=SPACE, **parameters)
    assert codes(answer) == found
    assert content(answer)["Total"] == len(found)


def test_templates_come_page_by_page_with_how_many_there_are() -> None:
    answer = ask(account(), "ListChatappTemplate", CustSpaceId=SPACE, Page='{"Index":2,"Size":2}')
    assert (codes(answer), content(answer)["Total"]) == (["t2 en_US"], 3)
    assert ask(account(), "ListChatappTemplate", Page="[]").code == "InvalidPage"


def test_a_template_tells_the_flows_that_its_buttons_name_in_one_language() -> None:
    of = account()
    for language, flow_id in (("en_US", "1"), ("es", "2")):
        answer = ask(of, "GetChatappTemplateDetail", TemplateCode="t1", Language=language, CustSpaceId=SPACE)
        data = content(answer)["Data"]
        assert (data["TemplateCode"], data["Language"]) == ("t1", language)
        buttons = [b for component in data["Components"] for b in component.get("Buttons", [])]
        assert [(b["Type"], b["FlowId"], b["FlowAction"]) for b in buttons] == [("FLOW", flow_id, "NAVIGATE")]


def test_a_carousel_has_its_buttons_in_cards() -> None:
    answer = ask(
        account(), "GetChatappTemplateDetail", TemplateCode="t2", Language="en_US", CustSpaceId=SPACE
    )
    carousel = content(answer)["Data"]["Components"][-1]
    assert carousel["Cards"][0]["CardComponents"][-1]["Buttons"] == [{"Type": "URL"}]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Language": "es"}, "MissingTemplateCode"),
        ({"TemplateCode": "t1"}, "MissingLanguage"),
        ({"TemplateCode": "t1", "Language": "de"}, "Template.NotExist"),
        ({"TemplateCode": "t1", "Language": "es", "CustSpaceId": ""}, "Template.NotExist"),
    ],
)
def test_a_template_that_is_not_there_is_refused(parameters: dict[str, str], code: str) -> None:
    assert ask(account(), "GetChatappTemplateDetail", **{"CustSpaceId": SPACE, **parameters}).code == code


def test_the_caller_is_a_user_of_the_account() -> None:
    answer = ask(account(), "GetCallerIdentity")
    assert (answer.status, answer.code) == (200, "")
    assert set(answer.content) == {"AccountId", "Arn", "IdentityType", "PrincipalId", "UserId"}
    body = json.loads(answer.body("R", "H"))
    assert (body["AccountId"], body["RequestId"]) == ("1000000000000001", "R")
    assert "Code" not in body


@given(
    st.sampled_from([name for name, operation in OPERATIONS.items() if operation.run]),
    st.dictionaries(
        st.sampled_from(
            [
                "FlowId",
                "CustSpaceId",
                "FlowName",
                "Categories",
                "FilePath",
                "Page",
                "PageIndex",
                "TemplateCode",
                "Language",
            ]
        ),
        texts,
    ),
)
def test_any_parameters_get_an_answer_that_is_json(operation: str, parameters: dict[str, str]) -> None:
    answer = ask(account(), operation, **parameters)
    assert isinstance(json.loads(answer.body("R", "H")), dict)
