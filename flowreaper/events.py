"""Where events go: a dotted name and fields. structlog's loggers fit."""

from typing import Any, Protocol


class Log(Protocol):
    """Where events are told: a dotted name, and fields."""

    def is_enabled_for(self, level: int) -> bool:
        """Return whether events of this level (one of logging's numbers) are wanted."""
        ...

    def debug(self, event: str, **fields: Any) -> object:
        """Take an event that helps to find a fault."""
        ...

    def info(self, event: str, **fields: Any) -> object:
        """Take an event of the usual course."""
        ...

    def warning(self, event: str, **fields: Any) -> object:
        """Take an event that somebody should look at."""
        ...


class SilentLog:
    """A log that nobody reads."""

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        """Return that no event is wanted."""
        return False

    def debug(self, event: str, **fields: object) -> None:
        """Drop the event."""

    def info(self, event: str, **fields: object) -> None:
        """Drop the event."""

    def warning(self, event: str, **fields: object) -> None:
        """Drop the event."""
