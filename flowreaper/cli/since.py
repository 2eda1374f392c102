"""When ``--since`` begins."""

import re
from datetime import datetime, timedelta
from math import ceil

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable

_SPAN = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_UNITS = ("weeks", "days", "hours", "minutes", "seconds")


def parse_since(text: str, now: datetime) -> int:
    """Return a moment in milliseconds since the epoch, from an ISO date or time, or from a span back from `now`.

    What has no zone is local time; a date alone is its beginning.

    Raises:
        ConfigurationError: it is neither, or lies in the future.
    """
    shown = printable(text, 60)
    try:
        moment = _moment(text.strip(), now)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"--since {shown} is no time: give a date (2026-05-04), a date and time (2026-05-04T22:30, local unless it"
            " ends with Z or an offset), or a span back from this moment (30m, 2h, 7d)"
        ) from None
    if moment > now:
        raise ConfigurationError(
            f"--since {shown} is in the future, so nothing can have ended after it: it is"
            f" {now.astimezone().isoformat(timespec='seconds')} here"
        )
    return ceil(moment.timestamp() * 1000)


def _moment(text: str, now: datetime) -> datetime:
    if text and (span := _SPAN.fullmatch(text.lower())):
        given = {unit: int(count) for unit, count in zip(_UNITS, span.groups(), strict=True) if count}
        return now - timedelta(**given)
    return datetime.fromisoformat(text).astimezone()
