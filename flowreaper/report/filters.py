"""Values as the page writes them: numbers, times, and the geometry of the plot as SVG path data. Pure."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from markupsafe import Markup, escape

from flowreaper.escaping import printable
from flowreaper.report.plot import Line, RunMark
from flowreaper.report.run_sum import RunSum
from flowreaper.store.history import PastRun, mean_pace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NBSP = "\N{NO-BREAK SPACE}"
_BRIEF, _SENTENCE = 80, 480  # characters; what stopped a run ends with what to do about it
_CROSS = 3.5  # half the width of the mark at the end of a run that was cut off or goes on


def shown(value: object) -> object:
    """Make text that anybody may have written safe to be shown, and no longer than a paragraph; leave the rest."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def whole(text: str) -> Markup:
    """Return text that must not be cut, such as a command."""
    return escape(printable(text, 20 * len(text)))


def brief(text: str) -> str:
    """Cut foreign text that should be short."""
    return printable(text, _BRIEF)


def words(name: str) -> str:
    """Write a value's name as words."""
    return name.replace("_", " ")


def sentence(text: str) -> Markup:
    """Write foreign text as a sentence: its first letter as it is, a full stop at its end."""
    text = printable(text, _SENTENCE).rstrip()
    return escape(text if text.endswith((".", "!", "?")) else f"{text}.")


def minute(at_s: int) -> Markup:
    """Write seconds since the epoch as a time in UTC, to the minute."""
    return Markup(str(moment(at_s * 1000)).replace(":00</time>", "</time>"))  # noqa: S704 -- made of numbers


def moment(at_ms: int) -> Markup:
    """Write milliseconds since the epoch as a time in UTC, to the second; in words where it is in no year."""
    try:
        at = _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return Markup("not known")
    return Markup('<time datetime="{}">{}</time>').format(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%d %H:%M:%S}"
    )


def moment_of(iso: str) -> Markup:
    """Write a record's time, which is ISO 8601 in UTC, to the second."""
    return Markup('<time datetime="{}">{}</time>').format(
        printable(iso), printable(iso[:19].replace("T", " "))
    )


def pace(run: PastRun | RunSum) -> str:
    """Write the mean pace of a run, in calls a second."""
    return f"{mean_pace(run.calls, run.seconds, run.rate):,.2f}" if run.calls else "0"


def share(part: int, total: int) -> str:
    """Write a part as a percentage: never 100 % or 0 % of what is not all or nothing."""
    if not total:
        return ""
    if part in (0, total):
        return f"100{_NBSP}%" if part else f"0{_NBSP}%"
    percent = 100 * part / total
    if percent < 0.1:  # noqa: PLR2004 -- one digit is shown
        return f"<{_NBSP}0.1{_NBSP}%"
    return f">{_NBSP}99.9{_NBSP}%" if percent > 99.9 else f"{percent:.1f}{_NBSP}%"  # noqa: PLR2004 -- the same


def steps(lines: Iterable[Line]) -> Markup:
    """Write lines as SVG path data."""
    return _path(f"M{'L'.join(f'{place(x)} {place(y)}' for x, y in line)}" for line in lines)


def areas(lines: Iterable[Line], base: float) -> Markup:
    """Write the areas between lines and `base` as SVG path data."""
    return steps(((line[0][0], base), *line, (line[-1][0], base)) for line in lines)


def bars(marks: Iterable[RunMark], top: float, base: float) -> Markup:
    """Write the bars of runs as SVG path data."""
    return _path(
        f"M{place(mark.left)} {place(top)}H{place(mark.right)}V{place(base)}H{place(mark.left)}Z"
        for mark in marks
    )


def crosses(marks: Iterable[RunMark], middle: float) -> Markup:
    """Write a cross at the end of each mark as SVG path data."""
    size = 2 * _CROSS
    return _path(
        f"M{place(mark.right - _CROSS)} {place(middle - _CROSS)}l{size} {size}m0-{size}l-{size} {size}"
        for mark in marks
    )


def arrows(marks: Iterable[RunMark], middle: float) -> Markup:
    """Write an arrowhead at the end of each mark as SVG path data."""
    return _path(
        f"M{place(mark.right)} {place(middle - _CROSS)}l{_CROSS} {_CROSS}l-{_CROSS} {_CROSS}"
        for mark in marks
    )


def place(at: float) -> str:
    """Write a place in the plot to a tenth of a unit."""
    return f"{at:.1f}".removesuffix(".0")


def _path(parts: Iterable[str]) -> Markup:
    return Markup("".join(parts))  # noqa: S704 -- letters and numbers of our own
