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
_NOT_ENDED = "the command has not ended, or was killed"


class SummaryFile:
    """A file that holds the summary of one run at a time, replaced whole (mode 0600); None is no file.

    From `begin` on it says that the command has not ended: a run that is killed leaves no summary of an earlier one.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._name = f"--summary-json {printable(str(path))}"
        self._own: tuple[int, ...] | None = None
        self._ended = False

    def begin(self) -> None:
        """Take the name for this run.

        Raises:
            ConfigurationError: the file there is no summary, or the folder cannot be written to.
        """
        path = self._path
        if path is None or self._own:
            return
        if path.name in ("", "-"):
            raise ConfigurationError(f"{self._name} is no file: name one")
        try:
            if path.is_symlink() or (path.exists() and not path.is_file()):
                raise ConfigurationError(f"{self._name} is no regular file: name another")
            if path.exists():
                self._refuse_others_file(path)
            self._own = _replace(path, refusal_document(None, _NOT_ENDED, None))
        except OSError as error:
            raise ConfigurationError(f"{self._name} cannot be written: {error.strerror}") from error

    def write(self, end: RunEnd, status: int) -> None:
        """Write what became of a run, once its checkpoint is closed; `status` is the exit status.

        Raises:
            OutputError: it cannot be written, or something else has taken the name.
        """
        if self._own is None:
            return
        self._ended = True
        overview = None
        with contextlib.suppress(FlowreaperError):  # what ended the run may be the checkpoint
            overview = read_overview(end.checkpoint)
        self._write(summary_document(end, overview, status))

    def write_refusal(self, error: str, status: int, checkpoint: Path | None = None) -> None:
        """Write why a command ended before a run began; nothing where one had begun, or the name is not this run's."""
        if not self._ended:
            self._ended = True
            self._write(refusal_document(checkpoint, error, status))

    def _write(self, document: dict[str, Any]) -> None:
        if self._own is None or self._path is None:
            return
        try:
            if _identity(self._path.lstat()) != self._own:
                raise OutputError(
                    f"{self._name}: something else has taken its place, so it is left as it is. What was deleted is in"
                    " the checkpoint"
                )
            self._own = _replace(self._path, document)
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


def _identity(stat: os.stat_result) -> tuple[int, ...]:
    # The number of a file that was removed is given to the next one.
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _replace(path: Path, document: dict[str, Any]) -> tuple[int, ...]:
    """Put a document in the place of a file; return what makes the new one known again."""
    # Beside it, so that it is on the same file system and can be moved over it.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(part, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
            made = os.fstat(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return _identity(made)
