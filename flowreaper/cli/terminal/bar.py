"""A line on a terminal, drawn with rich: only where there is a terminal is this module imported, and rich with it."""

import io
import os

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.segment import Segment, Segments
from rich.style import Style

from flowreaper.cli.terminal.layout import Kind, Line, lay_out
from flowreaper.cli.terminal.progress import View
from flowreaper.cli.terminal.screen import Screen

_STYLES = {
    Kind.COUNTS: Style(bold=True),
    Kind.TROUBLE: Style(color="yellow"),
    Kind.REASON: Style(color="cyan"),
}
_PLAIN = Style()
_WIDE_LANGUAGES = ("zh", "ja", "ko")
# Terminals of these languages may draw lines and blocks two columns wide.


class Bar:
    """Keeps the screen's status line up to date; draws only what has changed."""

    def __init__(self, screen: Screen, console: Console, *, ascii_only: bool) -> None:
        self._screen = screen
        self._console = console
        self._ascii_only = ascii_only
        self._drawn: tuple[Line, int] | None = None

    def draw(self, view: View) -> None:
        """Show how far the run is."""
        columns = self._screen.columns
        line = lay_out(view, columns - 1)  # a line that fills the last column may break
        if (line, columns) != self._drawn:
            self._drawn = line, columns
            self._screen.show(self._rendered(line))

    def remove(self) -> None:
        """Leave nothing of it behind."""
        self._drawn = None
        self._screen.show("")

    def _rendered(self, line: Line) -> str:
        segments: list[Segment] = []
        if line.bar:
            segments += [*self._bar(line), Segment("  ")]
        for number, part in enumerate(line.parts):
            if number:
                segments.append(Segment(part.gap))
            segments.append(Segment(part.text, _STYLES.get(part.kind, _PLAIN)))
        with self._console.capture() as captured:
            self._console.print(Segments(segments), end="", soft_wrap=True)
        return captured.get()

    def _bar(self, line: Line) -> list[Segment]:
        bar = ProgressBar(
            total=line.total,
            completed=line.done,
            width=line.bar,
            style="bright_black",
            complete_style="green",  # rich's own is red
        )
        options = self._console.options.update(width=line.bar)
        if self._ascii_only:
            options.encoding = "ascii"
        drawn = list(self._console.render(bar, options))
        # Without colours rich leaves what is still to do blank.
        rest = line.bar - sum(segment.cell_length for segment in drawn)
        return [*drawn, Segment(("." if self._ascii_only else "─") * rest)]


def make_bar(screen: Screen) -> Bar:
    """Return a bar on this screen, in the colours and characters that its terminal has."""
    console = Console(
        # Never the stream itself: rich writes to it, if only nothing, and fails where the terminal has gone.
        file=io.StringIO(),
        force_terminal=True,
        no_color=not screen.has_colours,
        highlight=False,
        legacy_windows=False,
    )
    language = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    encoding = screen.stream.encoding or "utf-8"
    ascii_only = language.startswith(_WIDE_LANGUAGES) or not encoding.lower().startswith("utf")
    return Bar(screen, console, ascii_only=ascii_only)
