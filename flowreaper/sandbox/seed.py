"""A believable account: flows in mixed states and several spaces, and templates that name some of them.

It is made up from a number and a seed alone, and always the same for these, so that a test can know what a sandbox in
another process holds.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from flowreaper.model import Flow
from flowreaper.sandbox.account import Instance
from flowreaper.sandbox.flow import CATEGORIES, FlowStatus, StoredFlow
from flowreaper.sandbox.template import Button, Template, flow_button

_T = TypeVar("_T")
_FlowIds = dict[tuple[str, FlowStatus], list[str]]

_SPACES = (
    # Instance name, space, weight; the last space has the older form of an id.
    ("Own account", "", 8),
    ("Mercado Azul", "cams-8f3k2m1q9x7a", 5),
    ("Kaffeehaus Süd, Wien", "cams-b71d04e2c6f9", 4),
    ("东方航旅", "cams-q0w9e8r7t6y5", 2),
    ("Toko Lama", "20210817004412", 1),
)
_STATUSES = ((FlowStatus.DRAFT, 70), (FlowStatus.PUBLISHED, 25), (FlowStatus.DEPRECATED, 5))
_WITHOUT_JSON_PERCENT = 2
_TOPICS = ("signup", "booking", "survey", "returns", "feedback", "loyalty", "newsletter", "callback")
# What breaks careless tables, CSV files, terminals and paths.
_ODD_NAMES = (
    "test-\x1b[31mred\x1b[0m alert",
    'promo, "spring" edition',
    "=HYPERLINK(test)",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "mañana ☕ 预约 🗓",
    "e\u0301cole \u202egnp.exe",
    "line one\nline two\ttab",
    " spaces around ",
    "kyc \ufeff\u200b\u2066zero width",
)
_LANGUAGES = ("en_US", "es", "pt_BR", "de", "zh_CN", "id", "ar")
_AUDITS = (("pass", 70), ("auditing", 10), ("fail", 12), ("unaudit", 8))
_OTHER_BUTTONS: tuple[Button, ...] = (
    {"Type": "URL", "Text": "Visit", "Url": "https://shop.invalid/offers", "UrlType": "static"},
    {"Type": "PHONE_NUMBER", "Text": "Call", "PhoneNumber": "+6500000000"},
    {"Type": "QUICK_REPLY", "Text": "Stop"},
)


class Seeded(NamedTuple):
    """What an account begins with."""

    flows: Sequence[StoredFlow] = ()
    templates: Sequence[Template] = ()
    instances: Sequence[Instance] = ()


def seeded(flows: int, seed: int) -> Seeded:
    """Make an account of `flows` flows.

    About 70 % are drafts, 25 % published, 5 % deprecated; a few have no JSON, and every fortieth has an odd name. There
    is a template for every twenty flows: of ten, four name published flows, two name drafts (one of them in its second
    language only).
    """
    draw = random.Random(f"account {flows} {seed}")  # noqa: S311 -- to be repeated, not to be secret
    stored = _flows(flows, draw)
    instances = [
        *(
            Instance(f"cams-in-{number:04}", name, space)
            for number, (name, space, _) in enumerate(_SPACES, 1)
        ),
        # An instance of another channel: its space has no flows.
        Instance("cams-in-0099", "Viber pilot", "cams-v1b3r0000001", "VIBER"),
    ]
    return Seeded(stored, _templates(stored, draw), instances)


def _flows(number: int, draw: random.Random) -> list[StoredFlow]:
    ids = _ids(number, draw)
    return [_flow(index, flow_id, draw) for index, flow_id in enumerate(ids, 1)]


def _flow(index: int, flow_id: str, draw: random.Random) -> StoredFlow:
    space = _weighted([(space, weight) for _, space, weight in _SPACES], draw)
    count = 2 if draw.random() < 0.1 else 1  # noqa: PLR2004 -- few have two categories
    return StoredFlow(
        Flow(flow_id, space),
        _name(index, draw),
        tuple(draw.sample(CATEGORIES, count)),
        _weighted(_STATUSES, draw),
        endpoint_uri="https://flows.invalid/endpoint" if draw.random() < 0.3 else "",  # noqa: PLR2004 -- a third
        json_from="" if draw.randrange(100) < _WITHOUT_JSON_PERCENT else flow_id,
    )


def _ids(number: int, draw: random.Random) -> list[str]:
    """Draw ids of 15 to 18 digits, none of them twice."""
    ids: dict[str, None] = {}
    while len(ids) < number:
        digits = draw.randrange(15, 19)
        ids[str(draw.randrange(10 ** (digits - 1), 10**digits))] = None
    return list(ids)


def _name(index: int, draw: random.Random) -> str:
    topic = draw.choice(_TOPICS)
    if index % 40 == 0:
        return _ODD_NAMES[index // 40 % len(_ODD_NAMES)]
    forms = (
        (f"test-{topic}-{index:05}", 35),
        (f"promo_2025_{draw.randrange(1, 13):02}_{topic}_{index}", 25),
        (f"kyc {topic} v{draw.randrange(1, 9)} {index}", 10),
        (f"{topic.title()} {index}", 20),
        (f"{topic}.copy({index})", 10),
    )
    return _weighted(forms, draw)


def _templates(flows: Sequence[StoredFlow], draw: random.Random) -> list[Template]:
    flow_ids: _FlowIds = {}
    for stored in flows:
        flow_ids.setdefault((stored.flow.cust_space_id, stored.status), []).append(stored.flow.flow_id)
    templates: list[Template] = []
    for index in range(-(-len(flows) // 20)):
        base = Template(
            code=str(draw.randrange(10**15, 10**16)),
            name=f"{draw.choice(_TOPICS)}_{index:04}",
            language=draw.choice(_LANGUAGES),
            cust_space_id=draw.choice(flows).flow.cust_space_id,
            audit_status=_weighted(_AUDITS, draw),
            category=draw.choice(("MARKETING", "UTILITY")),
            updated_at_ms=draw.randrange(1_700_000_000_000, 1_760_000_000_000),
        )
        templates += _with_buttons(base, index % 10, flow_ids, draw)
    return templates


def _with_buttons(base: Template, kind: int, flow_ids: _FlowIds, draw: random.Random) -> list[Template]:
    """Give a template the buttons of one of ten kinds; two kinds have a second language."""
    one, two = (_flow_buttons(base.cust_space_id, FlowStatus.PUBLISHED, flow_ids, draw) for _ in range(2))
    draft = _flow_buttons(base.cust_space_id, FlowStatus.DRAFT, flow_ids, draw)
    other_language = draw.choice([language for language in _LANGUAGES if language != base.language])
    match kind:
        case 0 | 3 | 7:
            return [base._replace(buttons=one)]
        case 1:
            return [base._replace(buttons=draft)]
        case 2:
            # The second language names flows that the first does not.
            return [
                base._replace(buttons=(*_OTHER_BUTTONS[:1], *one)),
                base._replace(language=other_language, audit_status="pass", buttons=(*two, *draft)),
            ]
        case 4:
            return [base._replace(buttons=_OTHER_BUTTONS), base._replace(language=other_language)]
        case 5:
            return [base._replace(card_buttons=_OTHER_BUTTONS[:2])]
        case _:
            return [base._replace(buttons=(draw.choice(_OTHER_BUTTONS),) if kind % 2 == 0 else ())]


def _flow_buttons(
    space: str, status: FlowStatus, flow_ids: _FlowIds, draw: random.Random
) -> tuple[Button, ...]:
    """Return one button for a flow of a space with a status, none where there is no such flow."""
    found = flow_ids.get((space, status))
    return (flow_button(draw.choice(found)),) if found else ()


def _weighted(choices: Sequence[tuple[_T, int]], draw: random.Random) -> _T:
    return draw.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]
