"""structlog, set up for one stream: events are dotted names with fields."""

from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any, TextIO, cast

import structlog

from flowreaper.cli.terminal.refusals import Refusals
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.sentences import in_words
from flowreaper.escaping import printable


class LogFormat(StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"  # an object a line, and nothing else


def make_log(screen: Screen, log_format: LogFormat, level: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger that writes events from `level` (debug, info, warning, error) on.

    Foreign text in events cannot steer a terminal nor forge a line: in text it is escaped, in JSON
    everything beyond ASCII is. In JSON every event is written with its name and fields; in text it is a sentence
    where there is one (`in_words`), and refusals are shortened (`Refusals`).
    """
    renderer: list[Any] = (
        [
            Refusals(screen, everything=level == "debug"),
            in_words,
            _without_what_is_empty,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            _escape,
            structlog.dev.ConsoleRenderer(
                colors=screen.has_colours,
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=0,
                pad_level=False,
                sort_keys=False,
            ),
        ]
        if log_format is LogFormat.TEXT
        else [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.EventRenamer("event"),
            structlog.processors.JSONRenderer(),
        ]
    )
    log = structlog.wrap_logger(
        structlog.WriteLogger(cast(TextIO, screen)),
        processors=[structlog.processors.add_log_level, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
    )
    # Bound once: the lazy one makes a new logger for each question whether an event is wanted.
    return cast("structlog.typing.FilteringBoundLogger", log.bind())


def _without_what_is_empty(
    _log: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {name: value for name, value in event.items() if value not in ("", None)}


def _escape(_log: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: printable(value) if isinstance(value, str) else value for name, value in event.items()}
