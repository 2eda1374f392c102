"""When calls leave: ``python -m tests.benchmarks.sends FILE WORDS...`` runs flowreaper with these words.

Each call's moment, on the monotonic clock and just before its bytes go to the kernel, is a line of FILE at the end.
What a ledger says is later, by what the machine has to do before the sandbox gets to run.
"""

import socket
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flowreaper.cli import main

moments: list[float] = []


class Recorded(socket.socket):
    """A socket that takes note of the calls that go through it."""

    def send(self, data: Any, *rest: Any) -> int:
        """Send bytes."""
        if bytes(data[:5]) == b"POST ":
            moments.append(time.monotonic())
        return super().send(data, *rest)

    def sendmsg(self, buffers: Iterable[Any], *rest: Any) -> int:
        """Send several pieces of bytes."""
        pieces = list(buffers)
        if bytes(pieces[0][:5]) == b"POST ":
            moments.append(time.monotonic())
        return super().sendmsg(pieces, *rest)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    socket.socket = Recorded  # type: ignore[misc]  # asyncio makes its sockets of whatever stands here
    sys.argv = ["flowreaper", *sys.argv[2:]]
    try:
        main()
    finally:
        target.write_text("".join(f"{at}\n" for at in moments), encoding="ascii")
