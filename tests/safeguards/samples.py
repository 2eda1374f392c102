"""Flows to save, and where they come from."""

from flowreaper.client.actions import FlowDetails
from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import Origin, Saved

ORIGIN = Origin("1000000000000001", "https://cams.example")
JSON = b'{"version": "7.0", "screens": []}'
AT = "2026-11-25T19:00:00.000Z"


def details(flow_id: str = "346699123", space: str = "", name: str = "promo") -> FlowDetails:
    content = {"FlowId": flow_id, "FlowName": name, "Status": "DRAFT", "PreviewUrl": "https://p.example/1"}
    return FlowDetails(Flow(flow_id, space), name, "DRAFT", ("OTHER",), content)


def saved(
    flow_id: str = "346699123", space: str = "", *, name: str = "promo", content: bytes | None = JSON
) -> Saved:
    return Saved(details(flow_id, space, name), content, AT)
