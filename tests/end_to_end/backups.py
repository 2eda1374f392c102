"""Backups for the end-to-end tests: of flows of a sandbox, and of flows that nobody has any more."""

from collections.abc import Sequence
from pathlib import Path

from flowreaper.client.actions import FlowDetails
from flowreaper.client.credentials import StaticSource
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.client.listing import list_flows
from flowreaper.events import SilentLog
from flowreaper.job.operations import open_operations
from flowreaper.job.settings import Settings
from flowreaper.model import Finding, Flow
from flowreaper.safeguards.backup import open_backup
from flowreaper.safeguards.backup_entry import Origin
from flowreaper.safeguards.backup_folder import held_folder
from flowreaper.sandbox import CREDENTIALS
from flowreaper.sandbox.options import ACCOUNT_ID
from tests.safeguards.samples import saved

ORIGIN = Origin(ACCOUNT_ID, "https://cams.example")
RATE = 1000.0


async def listed(url: str, space: str = "") -> dict[Flow, str]:
    """Return the flows of a sandbox's space with their names."""
    settings = Settings(endpoint=parse_endpoint(url), read_rate=RATE)
    source = StaticSource(CREDENTIALS, "a test")
    async with open_operations(settings, source, account=ACCOUNT_ID, log=SilentLog()) as operations:
        return {each.flow: each.name async for each in list_flows(operations, space)}


async def back_up(url: str, folder: Path, flows: Sequence[Flow]) -> list[Finding | None]:
    """Save flows of a sandbox, as a run does before it deletes them."""
    endpoint, log = parse_endpoint(url), SilentLog()
    settings = Settings(endpoint=endpoint, read_rate=RATE)
    source = StaticSource(CREDENTIALS, "a test")
    findings = []
    async with (
        open_operations(settings, source, account=ACCOUNT_ID, log=log) as operations,
        open_backup(
            folder, operations, endpoint=endpoint, account=ACCOUNT_ID, outage_limit_s=30, log=log
        ) as backup,
    ):
        for flow in flows:
            details = await operations.get_flow(flow)
            assert isinstance(details, FlowDetails)
            findings.append(await backup.save(details))
    return findings


def past_backup(folder: Path, count: int, *, space: str = "", origin: Origin = ORIGIN) -> list[str]:
    """Make a backup of flows that are gone; return their names."""
    names = [f"promo {number}" for number in range(count)]
    with held_folder(folder, make=True) as held:
        held.begin(origin)
        held.save([saved(f"9{n}", space, name=name) for n, name in enumerate(names)], origin)
    return names
