"""Makes README's picture of a run: a real run on a terminal against a sandbox, as rich's SVG.

python -m tests.pictures    # 50 seconds; writes .github/run.svg
"""

import io
import re
import shlex
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.end_to_end.command import FLOWREAPER, ROOT, Command, clean_environment, serve
from tests.end_to_end.terminal import Terminal

PICTURE = ROOT / ".github" / "run.svg"
COLUMNS = 116
FLOWS = 400
PUBLISHED = 9
TYPED = "flowreaper delete ids.txt"
MOMENTS = ("[y/N]", "20%", "40%", "62%")  # each within the terminal's patience of the one before
ANY_PORT, PORT = 0, 8080

_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_ERASE = "\x1b[J"


def shown(flows: int, rate: float, moments: tuple[str, ...] = MOMENTS, port: int = ANY_PORT) -> str:
    """Return what a run sent to a terminal, until it had shown all `moments`, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        bare = Command(Path(name), clean_environment(Path(name)))
        ids = [str(926000000000007919 + 7919 * number) for number in range(flows)]
        bare.write("ids.txt", *ids)
        bare.write("published.txt", *ids[17 :: max(1, flows // PUBLISHED)])
        how = (
            "--port",
            str(port),
            "--window",
            "sliding",
            "--latency",
            "0.02",
            "--published",
            "published.txt",
        )
        with serve(bare, *how) as service:
            environment = bare.environment | service.environment | {"FLOWREAPER_DELETE_RATE": str(rate)}
            words = (*FLOWREAPER, *TYPED.split()[1:])
            script = f"stty cols {COLUMNS} rows 30; exec {shlex.join(words)}"
            with Terminal(Command(bare.folder, environment), "-c", script, program=("/bin/sh",)) as terminal:
                for moment in moments:
                    terminal.wait_for(moment)
                    if moment == "[y/N]":
                        terminal.type("y\n")
                return terminal.shown


def lines_of(sent: str) -> list[str]:
    """Return what a terminal shows in the end of what it was sent, with colours; lines that were erased are gone."""
    lines = []
    for line in sent.split("\n"):
        pieces = [piece.replace(_ERASE, "") for piece in line.split("\r")]
        lines.append(next(filter(None, reversed(pieces)), ""))
    return lines


def svg_of(lines: list[str]) -> str:
    """Return a picture of a terminal that loads nothing."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text(f"$ {TYPED}"))
    for line in lines:
        console.print(Text.from_ansi(line))
    return _FONT_FACE.sub("", console.export_svg(title="flowreaper", unique_id="run"))


if __name__ == "__main__":
    PICTURE.write_text(svg_of(lines_of(shown(FLOWS, 5, port=PORT))), encoding="utf-8")
    sys.stderr.write(f"{PICTURE} is written: look at it\n")
