"""The account that a seeded sandbox has, as a test knows it."""

from collections.abc import Sequence
from typing import NamedTuple

from flowreaper.model import Flow
from flowreaper.sandbox.flow import FlowStatus
from flowreaper.sandbox.seed import seeded
from tests.end_to_end.command import Command


class Account(NamedTuple):
    """Its flows, by what may become of them."""

    flows: Sequence[Flow]
    others: frozenset[str]  # published or deprecated
    used: frozenset[str]  # opened by a template, whatever their status
    unused_drafts: frozenset[str]


def account(flows: int, seed: int = 0) -> Account:
    """Return the account of ``flowreaper sandbox --seed-flows FLOWS --seed SEED``."""
    held = seeded(flows, seed)
    used = frozenset(flow_id for template in held.templates for flow_id in template.flow_ids)
    others = frozenset(f.flow.flow_id for f in held.flows if f.status is not FlowStatus.DRAFT)
    everything = frozenset(f.flow.flow_id for f in held.flows)
    return Account([f.flow for f in held.flows], others, used, everything - others - used)


def write_flows(command: Command, name: str, flows: Sequence[Flow]) -> str:
    """Write flows as CSV that `delete` reads; return the file's name."""
    lines = [f"{flow.flow_id},{flow.cust_space_id}" for flow in flows]
    return command.write(name, "FlowId,CustSpaceId", *lines)
