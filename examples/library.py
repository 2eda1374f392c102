"""Delete flows from a program of your own, and look at what became of them.

    python examples/library.py 346699123 346699124

It runs against a sandbox on this machine. For the real service leave out `settings` and `credentials`: then
the documented endpoint and the usual credentials (environment, profile, RAM role) are used.
"""

import asyncio
import sys
from pathlib import Path

from flowreaper import Flow, Settings, delete_flows, parse_endpoint, read_records
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

CHECKPOINT = Path("library.ckpt")


async def main(flow_ids: list[str]) -> int:
    """Delete these flows and one of a sub-customer's space, print the outcomes, return the exit status."""
    async with Sandbox(SandboxOptions()) as sandbox:
        summary = await delete_flows(
            [*flow_ids, Flow("346699999", cust_space_id="cams-awlkj23a09jd")],
            checkpoint=CHECKPOINT,
            settings=Settings(endpoint=parse_endpoint(sandbox.url), sandbox=True),
            credentials=CREDENTIALS,
        )
    for record in read_records(CHECKPOINT):
        print(record.flow_id, record.cust_space_id or "-", record.state, record.code)
    print(f"{summary.calls} calls in {summary.seconds:.1f} s, {summary.unfinished} flows left")
    return 1 if summary.failed or summary.unfinished else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
