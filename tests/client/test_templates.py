"""Which flows templates open: nothing may count as unused because it could not be read."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from flowreaper.client import actions
from flowreaper.client.actions import TemplateId, TemplatePage
from flowreaper.client.operations import Refusal
from flowreaper.client.templates import used_flows
from flowreaper.errors import Advice, FatalReplyError, ListingError
from flowreaper.model import Reply

Answer = Sequence[str] | Refusal | None | Exception

REFUSED = Refusal(Reply(400, "Template.Locked", "no", "R-1"))
GONE = Refusal(Reply(400, "Template.NotExist", "no", "R-2"), gone=True)


class Account:
    """Templates by what reading each of them answers."""

    def __init__(self, templates: Mapping[TemplateId, Answer], listed: Refusal | None = None) -> None:
        self.templates = templates
        self.listed = listed
        self.total = 0
        self.at_once = self.most_at_once = 0

    async def list_template(self, space: str, *, index: int, size: int) -> TemplatePage | Refusal:
        assert space == "cams-a"
        page = [*self.templates][(index - 1) * size : index * size]
        return self.listed or TemplatePage(page, self.total if page else 0)

    async def get_template(self, space: str, template: TemplateId) -> Sequence[str] | Refusal | None:
        assert space == "cams-a"
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        answer = self.templates[template]
        if isinstance(answer, Exception):
            raise answer
        return answer


def template(code: str, language: str = "en") -> TemplateId:
    return TemplateId(code, f"name of {code}", language, "APPROVED")


def uses(account: Account) -> Mapping[str, TemplateId]:
    return asyncio.run(used_flows(account, "cams-a"))


def test_each_flow_that_a_template_names_is_used_by_the_first_such_template() -> None:
    first, second, other = template("t1"), template("t2"), template("t3")
    assert uses(Account({first: ["11", "12"], second: ["12", "13"], other: []})) == {
        "11": first,
        "12": first,
        "13": second,
    }


def test_a_template_in_two_languages_is_read_in_both() -> None:
    english, german = template("t1", "en"), template("t1", "de")
    assert uses(Account({english: ["11"], german: ["12"]})) == {"11": english, "12": german}


def test_all_pages_of_templates_are_read_several_at_once() -> None:
    account = Account({template(f"t{number}"): [str(number)] for number in range(230)})
    assert len(uses(account)) == 230
    assert account.most_at_once > 4


def test_a_template_that_is_gone_meanwhile_is_passed_over() -> None:
    assert set(uses(Account({template("t1"): GONE, template("t2"): ["12"]}))) == {"12"}


def test_a_template_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(
        ListingError, match=r"the template t2 \(en\) of the space cams-a cannot be read"
    ) as caught:
        uses(Account({template("t1"): ["11"], template("t2"): REFUSED}))
    assert "Template.Locked (HTTP 400, request id R-1)" in str(caught.value)
    assert caught.value.advice is Advice.WITHOUT_TEMPLATES


def test_templates_that_cannot_be_listed_are_an_error() -> None:
    with pytest.raises(ListingError, match="the templates of the space cams-a cannot be read") as caught:
        uses(Account({}, listed=REFUSED))
    assert caught.value.advice is Advice.WITHOUT_TEMPLATES


def test_templates_that_are_not_all_listed_are_an_error() -> None:
    account = Account({template(f"t{number}"): [str(number)] for number in range(130)})
    account.total = 130
    assert len(uses(account)) == 130
    account.total = 131
    with pytest.raises(
        ListingError, match="there are 131, and lists 130, so any flow may be in use"
    ) as caught:
        uses(account)
    assert caught.value.advice is Advice.WITHOUT_TEMPLATES


def test_an_answer_without_components_does_not_mean_that_the_template_opens_no_flow() -> None:
    with pytest.raises(ListingError, match="does not tell which flows its buttons open"):
        uses(Account({template("t1"): None}))


def test_trouble_that_concerns_every_call_comes_out_as_itself() -> None:
    denied = FatalReplyError("denied")
    with pytest.raises(FatalReplyError) as caught:
        uses(Account({template(f"t{number}"): denied for number in range(9)}))
    assert caught.value is denied


def test_no_text_of_the_service_steers_a_terminal() -> None:
    with pytest.raises(ListingError) as caught:
        uses(Account({template("t\x1b[2J"): REFUSED}))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"Data": {"Components": [{"Buttons": [{"Type": "FLOW", "FlowId": "11"}]}]}}, ["11"]),
        ({"Data": {"Components": []}}, []),
        (
            {
                "Data": {
                    "Components": [
                        {"Cards": [{"CardComponents": [{"Buttons": [{"Type": "FLOW", "FlowId": "12"}]}]}]}
                    ]
                }
            },
            ["12"],
        ),
        ({"data": {"components": [{"buttons": [{"type": "FLOW", "flowId": 11}]}]}}, ["11"]),
        ({"Data": {"Components": [{"Buttons": [{"Type": "URL"}]}]}}, []),
        ({"Data": {"Components": [{"Buttons": [{"Type": "FLOW"}]}]}}, None),
        ({"Data": {"Components": [{"Buttons": [{"Type": "FLOW", "FlowId": {}}]}]}}, None),
        ({"Data": {}}, None),
        ({}, None),
    ],
)
def test_the_buttons_of_a_template_name_flows_where_there_are_components(
    content: Mapping[str, object], named: list[str] | None
) -> None:
    assert actions.read_flow_buttons(content) == named
