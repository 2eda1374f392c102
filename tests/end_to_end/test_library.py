"""A program that deletes flows is interrupted, as its user would do it."""

import signal
import sys

from tests.end_to_end.command import Command, ended

PROGRAM = """
import asyncio, sys, time
from flowreaper import Settings, open_job, parse_endpoint
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

def flows():
    yield from range(1, 21)
    time.sleep(3600)

async def main():
    async with Sandbox(SandboxOptions(latency_s=0.3)) as sandbox:
        settings = Settings(endpoint=parse_endpoint(sandbox.url), rate=10.0)
        async with open_job("job.ckpt", settings=settings, credentials=CREDENTIALS) as job:
            async for record in job.delete(flows()):
                print(record.flow_id, flush=True)

try:
    asyncio.run(main(), debug=True)
except KeyboardInterrupt:
    sys.exit("interrupted")
"""


def test_ctrl_c_ends_a_program_at_once_with_all_replies_recorded_and_no_warning(bare: Command) -> None:
    bare.write("program.py", PROGRAM)
    shown: list[str] = []
    with bare.start(sys.executable, "-X", "dev", "program.py") as process:
        assert process.stdout
        shown.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        finished = ended(process)
    # asyncio's development mode also tells of steps that a busy machine made long.
    told = [line for line in finished.err.splitlines() if not line.startswith("Executing <")]
    assert (finished.status, told) == (1, ["interrupted"])
    states = bare.states("job.ckpt")
    assert set(states) == {"deleted", "pending"}
    assert sum(states.values()) == 20
    assert states["deleted"] >= len(shown) + len(finished.out.splitlines())
