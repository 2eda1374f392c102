"""The question before anything is deleted, on the terminal."""

import contextlib
import os
import signal
from collections.abc import Iterator

from flowreaper.errors import ConfigurationError

_TERMINAL = "/dev/tty"


def require_terminal() -> int:
    """Open the terminal to ask on, whatever standard input and output are.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        return os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise ConfigurationError(
            "there is no terminal to ask for confirmation on, so nothing was sent: see what would be done"
            " with --dry-run, then add --yes"
        ) from None


def confirmed(terminal: int, plan: str, question: str = "Delete?") -> bool:
    """Show the plan on the terminal, ask, and return whether the answer was yes; anything else is no."""
    try:
        with os.fdopen(terminal, "r+b", buffering=0) as device:
            device.write(f"{plan}\n{question} [y/N] ".encode())
            answer = device.readline()
    except OSError:  # the terminal hung up
        return False
    return answer.strip().lower() in (b"y", b"yes")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt at once.

    asyncio's own handler only cancels the task, which never learns of it while it waits for a person.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
