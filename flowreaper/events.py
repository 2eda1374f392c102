"""Where events go: a name and fields. structlog's loggers fit as they are, the standard library's are adapted."""

import logging
from typing import Any, Protocol

StdlibLogger = logging.Logger | logging.LoggerAdapter[Any]


class Log(Protocol):
    """Takes events. An event is a dotted name ("flow.refused") with fields; a logger of structlog is a Log."""

    def is_enabled_for(self, level: int) -> bool:
        """Return whether it takes events of this level, one of logging's numbers."""
        ...

    def debug(self, event: str, **fields: Any) -> object:
        """Take an event that helps to find a fault."""
        ...

    def info(self, event: str, **fields: Any) -> object:
        """Take an event of a normal run."""
        ...

    def warning(self, event: str, **fields: Any) -> object:
        """Take an event that somebody should look at."""
        ...


class SilentLog:
    """A log that drops every event."""

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        """Return False."""
        return False

    def debug(self, event: str, **fields: object) -> None:
        """Drop the event."""

    def info(self, event: str, **fields: object) -> None:
        """Drop the event."""

    def warning(self, event: str, **fields: object) -> None:
        """Drop the event."""


class StdlibLog:
    """Passes events on to a logger of the standard library.

    The record's message is the event and its fields, ``flow.refused flow_id='1' code='X'``; values are written with
    repr, so nothing in them can steer a terminal. The record also has the attributes `event` (str) and `fields`
    (dict), for formatters that write JSON.
    """

    def __init__(self, logger: StdlibLogger) -> None:
        self._logger = logger

    def is_enabled_for(self, level: int) -> bool:
        """Return whether the logger takes records of this level."""
        return self._logger.isEnabledFor(level)

    def debug(self, event: str, **fields: object) -> None:
        """Log the event at DEBUG."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Log the event at INFO."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Log the event at WARNING."""
        self._log(logging.WARNING, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        text = " ".join([event, *(f"{name}={value!r}" for name, value in fields.items())])
        # The fields are one attribute: logging refuses names of its own, such as `message`.
        extra = {"event": event, "fields": fields}
        self._logger.log(
            level, text, extra=extra, stacklevel=3
        )  # the frame that called debug, info or warning


def as_log(log: Log | StdlibLogger | None) -> Log:
    """Return a Log that passes events on to `log`; None drops them."""
    if log is None:
        return SilentLog()
    return StdlibLog(log) if isinstance(log, logging.Logger | logging.LoggerAdapter) else log
