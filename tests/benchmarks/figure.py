"""One measured figure beside its target and its peer, and the table of all."""

from collections.abc import Iterable
from dataclasses import dataclass

HEADING = "| figure | flowreaper | peer | ratio | target | holds |\n|---|---|---|---|---|---|"
_NOTHING = "-"


@dataclass(frozen=True)
class Figure:
    """A value in `unit` that must be at least, or at most, its target; without a target it only
    informs. `peer` is the same of whoever `peer_name` names.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    peer: float | None = None
    peer_name: str = ""

    @property
    def holds(self) -> bool:
        """Whether the target is reached."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target

    def row(self) -> str:
        """Write it as a row of a Markdown table."""
        peer = _NOTHING if self.peer is None else f"{_number(self.peer)} {self.unit} ({self.peer_name})"
        ratio = f"{self.value / self.peer:.2f}" if self.peer else _NOTHING
        sign = "≥" if self.at_least else "≤"
        target = _NOTHING if self.target is None else f"{sign} {_number(self.target)} {self.unit}"
        verdict = _NOTHING if self.target is None else "yes" if self.holds else "**no**"
        cells = (self.name, f"{_number(self.value)} {self.unit}", peer, ratio, target, verdict)
        return f"| {' | '.join(cells)} |"


def table(figures: Iterable[Figure]) -> str:
    """Write figures as a Markdown table."""
    return "\n".join((HEADING, *(figure.row() for figure in figures)))


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"
