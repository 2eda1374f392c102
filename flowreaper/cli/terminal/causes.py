"""Why flows ended as they did, for a person: each code with its meaning, a few flows, and what to type next."""

from collections.abc import Sequence
from pathlib import Path

from flowreaper.cli.cause_commands import cause_commands
from flowreaper.cli.options import path_word
from flowreaper.client.meanings import meaning_of
from flowreaper.escaping import printable
from flowreaper.model import Cause, Flow, State

_CAUSES_SHOWN = 5


def describe_causes(causes: Sequence[Cause], checkpoint: Path, delete: str) -> list[str]:
    """Write why flows ended as they did: each code with its meaning, a few flows, and what to type next.

    `delete` as in `cause_commands`, empty where nothing can be called again.
    """
    lines = []
    for cause in causes[:_CAUSES_SHOWN]:
        more = ", ..." if cause.flows > len(cause.sample) else ""
        commands = cause_commands(cause, checkpoint, delete)
        lines += [
            _headline(cause),
            f"  Flows:  {', '.join(shown_flow(flow) for flow in cause.sample)}{more}",
            f"  To do:  {meaning_of(cause.state, cause.code).remedy}",
            f"  List:   {commands.list}",
            f"  Export: {commands.export}",
        ]
        if commands.retry:
            lines.append(f"  Retry:  {commands.retry}")
    if len(causes) > _CAUSES_SHOWN:
        lines.append(
            f"And {len(causes) - _CAUSES_SHOWN:,} more: flowreaper status --json {path_word(checkpoint)}"
        )
    return lines


def describe_causes_briefly(causes: Sequence[Cause], checkpoint: Path) -> list[str]:
    """Write a line a code, and where to find the rest: for a run that will go on."""
    lines = [_headline(cause) for cause in causes[:_CAUSES_SHOWN]]
    return [*lines, f"More about them: flowreaper status {path_word(checkpoint)}"] if lines else []


def _headline(cause: Cause) -> str:
    code = f", {printable(cause.code, 60)}" if cause.code else ""
    return f"{cause.flows:,} {state_words(cause.state)}{code}: {meaning_of(cause.state, cause.code).meaning}"


def shown_flow(flow: Flow) -> str:
    """Write a flow, or an invalid line, for a terminal: its space first, where it has one."""
    name = printable(flow.flow_id, 40)
    return f"{printable(flow.cust_space_id, 40)}/{name}" if flow.cust_space_id else name


def state_words(state: State) -> str:
    """Write a state for a person."""
    return state.value.replace("gave_up", "given up")
