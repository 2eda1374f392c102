"""Times and time spans as people type them: 5h30m, 06:00, 2026-11-26T06:00. Pure.

What has no zone is local time. `option` is named in the errors; `now` has its zone.
"""

import math
import re
from datetime import datetime, timedelta

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile("".join(rf"(?:(\d{{1,9}}(?:\.\d{{1,9}})?){unit})?" for unit in _UNITS), re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)


def parse_span(text: str, option: str) -> float:
    """Return the seconds of a time span such as ``5h30m``, ``90s`` or ``1d12h``.

    Raises:
        ConfigurationError: it is none.
    """
    seconds = _span_s(text)
    if seconds is None:
        raise ConfigurationError(
            f"{option} {printable(text, 60)} is no time span: write it as 5h30m, 90s or 1d12h, with w, d, h, m and s"
        )
    return seconds


def parse_moment(text: str, option: str, now: datetime) -> datetime:
    """Return the next moment that a clock time (``06:00``) or a date with a time (``2026-11-26T06:00``) names.

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
        moment = moment if moment.tzinfo else moment.astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option} {printable(text, 60)} is no time: write it as 06:00 or 2026-11-26T06:00"
        ) from None
    if moment <= now:
        raise ConfigurationError(f"{option} {printable(text, 60)} has passed: name a time to come")
    return moment


def parse_since(text: str, option: str, now: datetime) -> int:
    """Return a moment in milliseconds since the epoch, from an ISO date or time, or from a span back from `now`.

    A date alone is its beginning.

    Raises:
        ConfigurationError: it is neither, or lies in the future.
    """
    shown = printable(text, 60)
    try:
        seconds = _span_s(text)
        back = None if seconds is None else now - timedelta(seconds=seconds)
        moment = back or datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option} {shown} is no time: give a date (2026-05-04), a date and time (2026-05-04T22:30, local unless it"
            " ends with Z or an offset), or a span back from this moment (30m, 2h, 7d)"
        ) from None
    if moment > now:
        raise ConfigurationError(
            f"{option} {shown} is in the future, so nothing can have ended after it: it is"
            f" {now.astimezone().isoformat(timespec='seconds')} here"
        )
    return math.ceil(moment.timestamp() * 1000)


def is_dated(text: str) -> bool:
    """Return whether a text that `parse_moment` takes names a date, and so comes but once."""
    return _CLOCK.fullmatch(text.strip()) is None


def _span_s(text: str) -> float | None:
    found = _SPAN.fullmatch(text.strip().lower())
    parts = found.groups() if found else ()
    if not any(parts):
        return None
    return sum(float(part) * seconds for part, seconds in zip(parts, _UNITS.values(), strict=True) if part)
