"""The file of ``--summary-json``: one JSON object about the run that has just ended, whatever became of it."""

import contextlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

from flowreaper.cli.document import refusal_document, summary_document
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.errors import ConfigurationError, FlowreaperError, OutputError
from flowreaper.escaping import printable
from flowreaper.store.sqlite.reader import read_overview

_LONGEST = 16 * 1024 * 1024


class SummaryFile:
    """A file that holds the summary of one run at a time, replaced whole (mode 0600); None is no file."""

    def __init__(self, path: Path | None, checkpoint: Path) -> None:
        self._path = path
        self._checkpoint = checkpoint
        self._name = f"--summary-json {printable(str(path))}"
        self._begun = False

    def begin(self) -> None:
        """Remove the summary of an earlier run, so that a run that is killed leaves none of another.

        Raises:
            ConfigurationError: the file is not a summary, or its folder cannot be written to.
        """
        path = self._path
        if path is None:
            return
        try:
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise ConfigurationError(f"{self._name} is no regular file: name another")
            if path.exists():
                self._refuse_others_file(path)
                path.unlink()
            _replace(path, "")  # finds out whether it can be written
            path.unlink()
        except OSError as error:
            raise ConfigurationError(f"{self._name} cannot be written: {error.strerror}") from error
        self._begun = True

    def write(self, end: RunEnd, status: int) -> None:
        """Write what became of a run, once its checkpoint is closed; `status` is the exit status.

        Raises:
            OutputError: it cannot be written.
        """
        if not self._begun:
            return
        overview = None
        with contextlib.suppress(FlowreaperError):  # what ended the run may be the checkpoint
            overview = read_overview(self._checkpoint)
        self._write(summary_document(end, overview, status))

    def write_refusal(self, error: str, status: int) -> None:
        """Write why a command ended before a run began; raises OutputError."""
        self._write(refusal_document(self._checkpoint, error, status))

    def _write(self, document: dict[str, Any]) -> None:
        if not self._begun or self._path is None:
            return
        try:
            _replace(self._path, json.dumps(document, indent=2) + "\n")
        except OSError as error:
            raise OutputError(
                f"{self._name} cannot be written: {error.strerror}. What was deleted is in the checkpoint"
            ) from error

    def _refuse_others_file(self, path: Path) -> None:
        size = path.stat().st_size
        if size == 0:
            return
        if size <= _LONGEST:
            with contextlib.suppress(ValueError, RecursionError):
                found = json.loads(path.read_bytes())
                if isinstance(found, dict) and "schema" in found and "exit_status" in found:
                    return
        raise ConfigurationError(
            f"{self._name} exists and is no summary of flowreaper, so it is left as it is: name another file"
        )


def _replace(path: Path, text: str) -> None:
    # Beside it, so that it is on the same file system and can be moved over it.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
