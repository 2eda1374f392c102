"""How many flows exist in some spaces: what a share of them is reckoned from."""

from collections.abc import Iterable

from flowreaper.client.client import CredentialSource
from flowreaper.client.listing import list_flows
from flowreaper.events import Log
from flowreaper.job.operations import open_operations
from flowreaper.job.settings import Settings


async def count_existing(
    settings: Settings, credentials: CredentialSource, spaces: Iterable[str], *, account: str, log: Log
) -> int:
    """Count the flows of these spaces by ListFlow; `account` as for `open_operations`.

    Raises:
        ListingError: the service refused to list one.
        RunError: trouble that concerns every call.
    """
    spaces = sorted(spaces)
    log.info("max_delete.counting", spaces=len(spaces))
    count = 0
    async with open_operations(settings, credentials, account=account, log=log) as operations:
        for space in spaces:
            async for _ in list_flows(operations, space):
                count += 1
    return count
