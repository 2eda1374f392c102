"""Times and time spans as people type them: 5h30m, 06:00, 2026-11-26T06:00. Pure."""

import re
from datetime import datetime, timedelta

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(
    r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def parse_span(text: str, option: str) -> float:
    """Return the seconds of a time span such as ``5h30m``, ``90s`` or ``1d12h``; `option` is named in the error.

    Raises:
        ConfigurationError: it is none.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    parts = found.groups() if found else ()
    if not any(parts):
        raise ConfigurationError(
            f"{option} {printable(text)} is no time span: write it as 5h30m, 90s or 1d12h, with d, h, m and s"
        )
    return sum(float(part) * _SECONDS[unit] for part, unit in zip(parts, "dhms", strict=True) if part)


def parse_moment(text: str, option: str, now: datetime) -> datetime:
    """Return the next moment that a clock time (``06:00``) or a date with a time (``2026-11-26T06:00``) names.

    `now` is local time, with its zone; a text without a zone means local time. `option` is named in the error.

    Raises:
        ConfigurationError: it is none, or has passed.
    """
    if found := _CLOCK.fullmatch(text.strip()):
        hour, minute, second = (int(part or 0) for part in found.groups())
        moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0, tzinfo=None)
        if moment <= now.replace(tzinfo=None):
            moment += timedelta(days=1)
        return moment.astimezone()
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"{option} {printable(text)} is no time: write it as 06:00 or 2026-11-26T06:00"
        ) from None
    if moment.tzinfo is None:
        moment = moment.astimezone()
    if moment <= now:
        raise ConfigurationError(f"{option} {printable(text)} has passed: name a time to come")
    return moment


def is_dated(text: str) -> bool:
    """Return whether a text that `parse_moment` takes names a date, and so comes but once."""
    return _CLOCK.fullmatch(text.strip()) is None
