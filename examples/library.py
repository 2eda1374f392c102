"""Delete flows from a program of your own, and see what became of each as it happens.

    python examples/library.py 346699123 346699124

Cut it at any moment and run it again: the checkpoint library.ckpt holds what was done.

It runs against a sandbox on this machine. For the real service leave out `settings` and `credentials`: then
the documented endpoint and the usual credentials (environment, profile, RAM role) are used.
"""

import asyncio
import sys

from flowreaper import Flow, OutcomesError, RunError, Settings, open_job, parse_endpoint
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions


async def main(flow_ids: list[str]) -> int:
    """Delete these flows and one of a sub-customer's space, print the outcomes, return the exit status."""
    flows: list[str | Flow] = [*flow_ids, Flow("346699999", cust_space_id="cams-awlkj23a09jd")]
    async with Sandbox(SandboxOptions()) as sandbox:
        job = open_job(
            "library.ckpt",
            settings=Settings(endpoint=parse_endpoint(sandbox.url), sandbox=True),
            credentials=CREDENTIALS,
        )
        try:
            async with job:
                async for record in job.delete(flows):  # each is in the checkpoint when it comes
                    print(record.flow_id, record.cust_space_id or "-", record.state, record.code)
            job.summary.raise_for_outcomes()
        except (RunError, OutcomesError) as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{job.summary.calls} calls in {job.summary.seconds:.1f} s, {job.summary.unfinished} flows left")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
