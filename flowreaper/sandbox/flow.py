"""One flow as the sandbox keeps it: its fields, its JSON, and the operations' views of it. Pure."""

import json
from enum import StrEnum
from typing import NamedTuple

from flowreaper.model import Flow
from flowreaper.sandbox.undocumented import DATA_API_VERSION, JSON_VERSION, PREVIEW_LIFE_S

CATEGORIES = (
    *("SIGN_UP", "SIGN_IN", "APPOINTMENT_BOOKING", "LEAD_GENERATION"),
    *("CONTACT_US", "CUSTOMER_SUPPORT", "SURVEY", "OTHER"),
)
FIRST_SCREEN = "WELCOME"


class FlowStatus(StrEnum):
    """A flow's status, as GetFlow tells it."""

    DRAFT = "DRAFT"
    PUBLISHED = "PUBLISHED"
    DEPRECATED = "DEPRECATED"


class StoredFlow(NamedTuple):
    """A flow that the sandbox holds.

    `json_from` is what the flow's JSON is made from, empty where the flow has none. `created_at_s` is in seconds since
    the epoch; 0: long ago.
    """

    flow: Flow
    name: str
    categories: tuple[str, ...]
    status: FlowStatus = FlowStatus.DRAFT
    endpoint_uri: str = ""
    json_from: str = ""
    created_at_s: float = 0.0

    def summary(self) -> dict[str, object]:
        """Return what ListFlow and CreateFlow tell of it."""
        return {"FlowId": self.flow.flow_id, "FlowName": self.name, "Categories": list(self.categories)}

    def detail(self, at_s: float) -> dict[str, object]:
        """Return what GetFlow tells of it."""
        return {
            **self.summary(),
            "Status": str(self.status),
            "JSONVersion": JSON_VERSION if self.json_from else "",
            "DataApiVersion": DATA_API_VERSION if self.endpoint_uri else "",
            # A name that no resolver knows: nobody follows it out of a rehearsal.
            "PreviewUrl": f"https://preview.invalid/flows/{self.flow.flow_id}",
            "PreviewUrlExpires": int((at_s + PREVIEW_LIFE_S) * 1000),
            "EndpointUri": self.endpoint_uri,
        }

    def json(self) -> bytes:
        """Write the flow's JSON: one screen, which no other flow has."""
        heading = {"type": "TextHeading", "text": f"{self.name} ({self.flow.flow_id})"[:80]}
        note = {"type": "TextBody", "text": f"Made from {self.json_from}."}
        footer = {"type": "Footer", "label": "Done", "on-click-action": {"name": "complete", "payload": {}}}
        screen = {
            "id": FIRST_SCREEN,
            "title": self.name[:30],
            "terminal": True,
            "layout": {"type": "SingleColumnLayout", "children": [heading, note, footer]},
        }
        return json.dumps({"version": JSON_VERSION, "screens": [screen]}, indent=2).encode()


def made_up(flow: Flow, status: FlowStatus) -> StoredFlow:
    """Return a flow of which only the id is known: name and category are made from it, always the same."""
    category = CATEGORIES[sum(map(ord, flow.flow_id)) % len(CATEGORIES)]
    return StoredFlow(flow, f"flow_{flow.flow_id}", (category,), status, json_from=flow.flow_id)
