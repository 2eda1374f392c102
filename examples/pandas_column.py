"""Delete the flows of a pandas column, and write what became of each into a column beside it.

    python examples/pandas_column.py examples/flows.csv outcomes.csv

pandas is no dependency of flowreaper: `pip install pandas`. Read ids as text (`dtype=str`): a column of numbers with
one empty cell becomes floats, and 18-digit ids lose their last digits. An empty cell gets the outcome `invalid`.

It runs against a sandbox on this machine. For the real service leave out `settings` and `credentials`.
"""

import asyncio
import sys

import pandas as pd

from flowreaper import Settings, Tagged, open_job, parse_endpoint
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions


async def delete_flows_of(table: pd.DataFrame, checkpoint: str) -> pd.DataFrame:
    """Delete the flows of the columns FlowId and CustSpaceId; return the table with the columns `state` and `code`.

    Each row's place is its flow's tag, so that an id that stands in several rows has its outcome in each.
    """
    pairs = zip(table["FlowId"], table["CustSpaceId"], strict=True)
    flows = [Tagged(pair, place) for place, pair in enumerate(pairs)]
    states, codes = [""] * len(flows), [""] * len(flows)
    async with Sandbox(SandboxOptions()) as sandbox:
        settings = Settings(endpoint=parse_endpoint(sandbox.url), sandbox=True)
        async with open_job(checkpoint, settings=settings, credentials=CREDENTIALS) as job:
            async for record in job.delete(flows):
                states[record.tag], codes[record.tag] = record.state.value, record.code or ""
    return table.assign(state=states, code=codes)


def main(source: str, target: str) -> None:
    """Read a CSV file, delete its flows, write it with their outcomes."""
    table = pd.read_csv(source, dtype=str, keep_default_na=False)
    table = asyncio.run(delete_flows_of(table, "pandas_column.ckpt"))
    table.to_csv(target, index=False)
    print(table["state"].value_counts().to_string(header=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
