"""Coverage-guided runs: ``python -m tests.fuzz input|answer|checkpoint [libFuzzer's options]``.

Needs atheris, which is no dependency of the project: ``pip install atheris``. Corpus and findings go to the
folder that is named last, as libFuzzer wants it:

    python -m tests.fuzz answer -max_total_time=600 /tmp/corpus
"""

import importlib
import sys
from pathlib import Path


def main() -> None:
    """Run until a finding or libFuzzer's limit."""
    atheris = importlib.import_module("atheris")
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["flowreaper"]):
        parsers = importlib.import_module("tests.fuzz.parsers")
    corpus = Path(sys.argv[-1])
    if len(sys.argv) > 1 and corpus.is_dir():
        for number, seed in enumerate(parsers.SEEDS[name]()):
            (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, parsers.CHECKS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
