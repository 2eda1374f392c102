"""Why flows ended as they did, for a person: each code with its meaning, a few flows, and what to type next."""

from collections.abc import Sequence
from pathlib import Path

from flowreaper.cli.cause_commands import cause_commands
from flowreaper.cli.options import quoted
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
        said = meaning_of(cause.state, cause.code)
        code = f" {printable(cause.code, 60)}" if cause.code else ""
        lines.append(
            f"{cause.flows:,} {state_words(cause.state)}{code}: {said.meaning}. To do: {said.remedy}."
        )
        sample = ", ".join(shown_flow(flow) for flow in cause.sample)
        lines.append(f"  {sample}{', ...' if cause.flows > len(cause.sample) else ''}")
        commands = cause_commands(cause, checkpoint, delete)
        lines += [f"  List:   {commands.list}", f"  Export: {commands.export}"]
        if commands.retry and delete:
            lines.append(f"  Retry:  {commands.retry}")
    if len(causes) > _CAUSES_SHOWN:
        more = len(causes) - _CAUSES_SHOWN
        lines.append(f"And {more:,} more: flowreaper status --json {quoted(str(checkpoint))}")
    return lines


def shown_flow(flow: Flow) -> str:
    """Write a flow, or an invalid line, for a terminal: its space first, where it has one."""
    name = printable(flow.flow_id, 40)
    return f"{printable(flow.cust_space_id, 40)}/{name}" if flow.cust_space_id else name


def state_words(state: State) -> str:
    """Write a state for a person."""
    return state.value.replace("gave_up", "given up")
