"""From the options of ``flowreaper list`` to what is to be listed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.flow_formats import FlowFormat
from flowreaper.cli.listing import ListRequest
from flowreaper.cli.suggestions import closest, did_you_mean
from flowreaper.cli.times import parse_span
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.flow_rules import FlowRules, KeepList
from flowreaper.job.plan_file import LONGEST_LIFE_S, exists
from flowreaper.model import Flow, InvalidEntry
from flowreaper.producer.files import read_entries
from flowreaper.producer.flow_ids import why_invalid_space
from flowreaper.producer.formats import InputSettings
from flowreaper.producer.sources import open_sources

OWN_SPACE = "-"
"""What stands on the command line for the account's own space."""

_FILTERS = (
    "cust_space_id",
    "all_spaces",
    "name",
    "category",
    "status",
    "unused",
    "keep",
    "keep_name",
)
_STATUSES = ("DRAFT", "PUBLISHED", "DEPRECATED")
_LIKE_A_STATUS = 0.75
_STDIN = 0
_DOCUMENTED = {
    "status": ("DRAFT", "PUBLISHED", "DEPRECATED"),
    "category": (
        *("SIGN_UP", "SIGN_IN", "APPOINTMENT_BOOKING", "LEAD_GENERATION"),
        *("CONTACT_US", "CUSTOMER_SUPPORT", "SURVEY", "OTHER"),
    ),
}


def undocumented_words(options: Mapping[str, Any]) -> list[str]:
    """Return a sentence about each status and category that the service does not document: hours may hang on it."""
    return [
        f"--{name} {printable(word, 80)} is none of the documented words: {', '.join(known)}."
        f"{did_you_mean(word, known)}"
        for name, known in _DOCUMENTED.items()
        for word in options[name]
        if word.upper() not in known
    ]


def list_request(ctx: click.Context, options: Mapping[str, Any], *, is_terminal: bool) -> ListRequest:
    """Return what is to be listed; `is_terminal`: standard output is one.

    Raises:
        ConfigurationError: options contradict each other, or a file cannot be read.
    """
    spaces = None if options["all_spaces"] else _spaces(options["cust_space_id"])
    if options["all_spaces"] and options["cust_space_id"]:
        raise ConfigurationError("--all-spaces lists every space: leave out --cust-space-id, or --all-spaces")
    plan: Path | None = options["plan"]
    if plan and not options["force"] and os.path.lexists(plan):
        raise exists(plan)
    if plan and not plan.absolute().parent.is_dir():
        raise ConfigurationError(f"--plan {printable(str(plan))}: there is no such folder")
    if options["force"] and not plan:
        raise ConfigurationError("--force is about the file of --plan: name it, or leave out --force")
    expires_s = parse_span(options["plan_expires"], "--plan-expires")
    if not 0 < expires_s <= LONGEST_LIFE_S:
        raise ConfigurationError("--plan-expires must be more than 0 and at most a year")
    _refuse_empty(options)
    _refuse_mistyped(options["status"])
    return ListRequest(
        rules=FlowRules(
            names=options["name"],
            categories=options["category"],
            statuses=options["status"],
            unused=options["unused"],
            keep=_keep_list(options["keep"]),
            keep_names=options["keep_name"],
        ),
        spaces=spaces,
        flow_format=_format(options, spaces, is_terminal=is_terminal),
        verbose=options["verbose"],
        filters=_as_typed(ctx, options),
        plan=plan,
        plan_expires_s=expires_s,
        replace_plan=options["force"],
    )


def _spaces(given: Sequence[str]) -> tuple[str, ...]:
    for space in given:
        why = "is empty: write - for the account's own" if not space else ""
        if why := why or ("" if space == OWN_SPACE else why_invalid_space(space)):
            raise ConfigurationError(f"the space {printable(space)!r} {why}")
    return tuple(dict.fromkeys("" if space == OWN_SPACE else space for space in given)) or ("",)


def _refuse_empty(options: Mapping[str, Any]) -> None:
    """Refuse a rule that is an empty word, say of an unset variable: it would match nothing, or keep nothing."""
    for name in ("name", "category", "status", "keep_name"):
        if "" in options[name]:
            flag = f"--{name.replace('_', '-')}"
            raise ConfigurationError(f"{flag} is empty: give it a value, or leave it out")


def _refuse_mistyped(statuses: Iterable[str]) -> None:
    """Refuse a word that is almost a status: that it selects nothing would show once every flow was looked at.

    Any other word may be a status that nobody has documented.
    """
    for word in statuses:
        meant = closest(word, _STATUSES, _LIKE_A_STATUS)
        if meant and meant != word.upper():
            raise ConfigurationError(f"--status {printable(word, 60)} is no status. Did you mean {meant}?")


def _format(
    options: Mapping[str, Any], spaces: tuple[str, ...] | None, *, is_terminal: bool
) -> FlowFormat | None:
    own_only = spaces == ("",)
    if options["flow_format"]:
        chosen = FlowFormat(options["flow_format"])
        if chosen is FlowFormat.IDS and not own_only:
            raise ConfigurationError(
                "--format ids would lose the spaces of these flows, and the account's own flows of the same number would"
                " be meant: use --format csv or jsonl, which `flowreaper delete -` reads"
            )
        return chosen
    if options["plan"]:
        return None
    if is_terminal:
        return FlowFormat.TABLE
    return FlowFormat.IDS if own_only else FlowFormat.CSV


def _keep_list(files: Iterable[Path]) -> KeepList:
    """Read the flows to keep; raises InputError, also for a line that is no id: that flow would not be kept."""
    flows: set[Flow] = set()
    sources = open_sources([*files], _STDIN)
    try:
        for source in sources:
            for entry in read_entries(source, InputSettings()):
                if isinstance(entry, InvalidEntry):
                    raise ConfigurationError(
                        f"--keep {source.name}, line {entry.line}: {entry.reason}: {entry.text}. Nothing was listed,"
                        " because a flow that is to be kept would not be"
                    )
                flows.add(entry.flow)
    finally:
        for source in sources:
            source.close()
    return KeepList(frozenset(flows))


def _as_typed(ctx: click.Context, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that filter, as words; what came from the environment is among them."""
    words: list[str] = []
    for parameter in ctx.command.params:
        if parameter.name not in _FILTERS:
            continue
        value = options[parameter.name]
        flag = parameter.opts[-1]
        values = value if isinstance(value, tuple) else ()
        words += [flag] if value is True else [word for each in values for word in (flag, str(each))]
    return tuple(words)
