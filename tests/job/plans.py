"""Plans that tests make."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from flowreaper.job.plan_file import PlanHeading, PlannedFlow, PlanWriter
from flowreaper.model import Flow

HEADING = PlanHeading(
    account="1000000000000001",
    arn="acs:ram::1000000000000001:user/cleaner",
    endpoint="https://cams.ap-southeast-1.aliyuncs.com",
    filters=("--name", "test-*"),
    made_at="2026-11-25T14:00:00+00:00",
    expires_at="2026-12-02T14:00:00+00:00",
    seen=10,
    kept=2,
    selected=0,
)


def planned(number: int, space: str = "", name: str = "test-1") -> PlannedFlow:
    return PlannedFlow(Flow(str(number), space), name, ("OTHER",), "DRAFT", "name test-*")


def write_plan(path: Path, flows: Sequence[PlannedFlow], *, force: bool = False, **changed: Any) -> Path:
    """Write a plan of these flows; `changed` are values of its heading."""
    with closing(PlanWriter()) as writer:
        for flow in flows:
            writer.add(flow)
        writer.write(path, replace(HEADING, selected=len(flows), **changed), force=force)
    return path
