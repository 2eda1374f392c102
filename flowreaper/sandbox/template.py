"""A message template in one language: what it tells, and which flows its buttons name. Pure."""

from typing import NamedTuple

from flowreaper.sandbox.flow import FIRST_SCREEN

Button = dict[str, str]


class Template(NamedTuple):
    """A template in one language; another language of the same `code` is a template of its own.

    `card_buttons` are those of a carousel's first card. `updated_at_ms` is since the epoch.
    """

    code: str
    name: str
    language: str
    cust_space_id: str = ""
    audit_status: str = "pass"
    category: str = "MARKETING"
    buttons: tuple[Button, ...] = ()
    card_buttons: tuple[Button, ...] = ()
    updated_at_ms: int = 1_750_000_000_000

    @property
    def flow_ids(self) -> tuple[str, ...]:
        """The flows that its buttons name."""
        return tuple(button["FlowId"] for button in self.buttons if button["Type"] == "FLOW")

    def summary(self) -> dict[str, object]:
        """Return what ListChatappTemplate tells of it."""
        return {
            "TemplateCode": self.code,
            "TemplateName": self.name,
            "TemplateType": "WHATSAPP",
            "Language": self.language,
            "Category": self.category,
            "AuditStatus": self.audit_status,
            "LastUpdateTime": self.updated_at_ms,
        }

    def detail(self) -> dict[str, object]:
        """Return what GetChatappTemplateDetail tells of it."""
        components: list[dict[str, object]] = [
            {"Type": "BODY", "Text": f"Hello $(name), this is {self.name}."}
        ]
        if self.buttons:
            components.append({"Type": "BUTTONS", "Buttons": list(self.buttons)})
        if self.card_buttons:
            parts = [
                {"Type": "BODY", "Text": "A card."},
                {"Type": "BUTTONS", "Buttons": list(self.card_buttons)},
            ]
            components.append({"Type": "CAROUSEL", "Cards": [{"CardComponents": parts}]})
        return {
            "TemplateCode": self.code,
            "Name": self.name,
            "TemplateType": "WHATSAPP",
            "Language": self.language,
            "Category": self.category,
            "AuditStatus": self.audit_status,
            "AllowSend": self.audit_status == "pass",
            "Components": components,
        }


def flow_button(flow_id: str) -> Button:
    """Return a button that opens a flow."""
    return {
        "Type": "FLOW",
        "Text": "Open",
        "FlowId": flow_id,
        "FlowAction": "NAVIGATE",
        "NavigateScreen": FIRST_SCREEN,
    }
