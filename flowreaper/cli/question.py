"""What a run would do, told before it does: for the question on the terminal and for --dry-run."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.progress import duration
from flowreaper.settings import Settings
from flowreaper.survey import Survey

_TERMINAL = "/dev/tty"


def describe_plan(
    survey: Survey,
    settings: Settings,
    *,
    checkpoint: Path,
    access_key: str | None,
    former_key: str | None = None,
    piped: bool,
    sourced: bool = True,
) -> str:
    """Write what a run would do, in a few lines.

    `access_key` is masked, None where it was not looked up; `former_key` is the one that the checkpoint was
    last used with, None where there is nothing to say of it; `piped`: flows that are not counted yet will
    come from a pipe; `sourced`: there is an input at all.
    """
    flows = survey.to_call
    limited = settings.limit is not None and settings.limit < flows
    if limited and settings.limit is not None:
        flows = settings.limit
    count = f"{flows:,} flow{'' if flows == 1 else 's'}"
    if piped:
        count = (
            f"{count}, and those that come from the pipe" if flows else "the flows that come from the pipe"
        )
    key = f", access key {access_key}" if access_key else ""
    where = "the sandbox" if settings.sandbox else f"{settings.endpoint.url}{key}"
    lines = [f"To delete, for good: {count}, at {where}"]
    if former_key:
        lines.append(f"  {another_key(former_key)}")
    lines += [f"  {text}" for text in _composition(survey, checkpoint)]
    if limited:
        lines.append(f"  --limit: the first {flows:,} of {survey.to_call:,}")
    if survey.removed and sourced:
        lines.append(
            f"  {survey.removed:,} of the unfinished are not in this input: they were read by an earlier run, and"
            " leaving them out of the input does not take them back; a fresh checkpoint (-c) does"
        )
    if survey.sample:
        lines.append(f"  for example {', '.join(_name(flow) for flow in survey.sample)}")
    lines += [
        f"  not a flow id: {printable(e.source)}, line {e.line}: {printable(e.text, 60)} ({printable(e.reason)})"
        for e in survey.invalid_sample
    ]
    if flows:
        lines.append(f"  at {settings.rate:g} calls a second this takes {duration(flows / settings.rate)}")
    return "\n".join(lines)


def another_key(former: str) -> str:
    """Say that the checkpoint was last used with another access key, which is masked."""
    return (
        f"the checkpoint was last used with the access key {printable(former)}: where this one is another account's,"
        " no flow of the first is found, and each ends as absent"
    )


def _composition(survey: Survey, checkpoint: Path) -> list[str]:
    name = printable(str(checkpoint))
    parts = (
        (survey.new, "new"),
        (survey.unfinished, f"unfinished in {name}"),
        (survey.reopened, "taken again (--retry)"),
    )
    left_out = (
        (survey.finished, "finished before"),
        (survey.repeated, "repeated"),
        (survey.invalid, "invalid"),
    )
    taken = ", ".join(f"{count:,} {what}" for count, what in parts if count)
    skipped = ", ".join(f"{count:,} {what}" for count, what in left_out if count)
    return [text for text in (taken, skipped and f"left out: {skipped}") if text]


def _name(flow: Flow) -> str:
    name = printable(flow.flow_id, 40)
    return f"{printable(flow.cust_space_id, 40)}/{name}" if flow.cust_space_id else name


def require_terminal() -> int:
    """Open the terminal to ask on, whatever standard input and output are.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        return os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        raise ConfigurationError(
            "there is no terminal to ask for confirmation on, so nothing was sent: look at the plan with"
            " --dry-run, then add --yes"
        ) from None


def confirmed(terminal: int, plan: str) -> bool:
    """Show the plan on the terminal, ask, and return whether the answer was yes; anything else is no."""
    try:
        with os.fdopen(terminal, "r+b", buffering=0) as device:
            device.write(f"{plan}\nDelete? [y/N] ".encode())
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
