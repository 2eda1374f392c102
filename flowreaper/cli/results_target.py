"""Where ``delete --results`` goes: standard output, a descriptor, a pipe, or a file of the checkpoint's own."""

import asyncio
import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from flowreaper.errors import ConfigurationError, RunError
from flowreaper.escaping import printable
from flowreaper.job.run import Beside
from flowreaper.job.summary import Summary
from flowreaper.model import Ending
from flowreaper.producer.sources import Source
from flowreaper.sink.results_file import ResultsFile
from flowreaper.sink.sink import Stream
from flowreaper.sink.stream import JsonLines, cannot_write, open_pipe, open_target, started

RunJob = Callable[[Sequence[Stream], Beside], Awaitable[Summary]]

_STDOUT = 1
_STANDARD = {"-": _STDOUT, "/dev/stdout": _STDOUT, "/dev/stderr": 2}
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")
_READER_S = 1.0
_LOOK_S = 0.1


class ResultsTarget:
    """What ``--results`` names; None is nothing.

    `notice` gets an event and how to say it to a person: ``results.waiting_for_reader``, ``results.waiting_for_end``,
    ``results.comparing``. `log` gets an event and its fields: ``results.closed`` where the reader went away,
    ``results.completed`` where outcomes of earlier runs were added.
    """

    def __init__(
        self,
        target: str | None,
        checkpoint: Path,
        *,
        notice: Callable[[str, str], None],
        log: Callable[..., None],
    ) -> None:
        self._target = target
        self._checkpoint = checkpoint
        self._notice = notice
        self._log = log

    def check(self, sources: Sequence[Source]) -> None:
        """Look, before anything is made, whether the results may go there.

        Raises:
            ConfigurationError: it is one of the sources under whatever name, or another's file.
            RunError: the checkpoint cannot be read.
        """
        if self._target is None:
            return
        if not self._target:
            raise ConfigurationError("--results is empty: name a file, or - for standard output")
        descriptor = _descriptor(self._target)
        if descriptor is not None and self._target != "-":
            _check_descriptor(self._target, descriptor)
        there = _identity(self._target, descriptor)
        for source in sources:
            if there and there == _identity(source.path, source.fd):
                raise ConfigurationError(
                    f"--results {printable(self._target)} is a SOURCE too ({source.name}, by another name): give"
                    " it a file of its own"
                )
        if self.is_file:
            self._file(self._target).check()

    async def attend(self, run_job: RunJob) -> Summary:
        """Open the target, run the job with it, and close it; what fails at the end is the summary's error."""
        if not self._target:
            return await run_job((), lambda _note: contextlib.nullcontext())
        if self.is_file:
            file = self._file(self._target)
            return _ended(await run_job((file,), file.opened), file.error)
        with contextlib.ExitStack() as files:
            lines = files.enter_context(started(await self._open(self._target, files)))
            summary = await run_job((lines,), lambda _note: contextlib.nullcontext())
            if not lines.written(_READER_S):
                self._notice(
                    "results.waiting_for_end",
                    "All outcomes are saved. Waiting for the reader of --results; press Ctrl-C twice to quit.",
                )
            try:
                files.close()
            except RunError as error:
                return _ended(summary, error)
        return summary

    @property
    def is_file(self) -> bool:
        """Whether the results go to a regular file."""
        if not self._target or _descriptor(self._target) is not None:
            return False
        mode = _mode(self._target)
        return not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode))

    def _file(self, target: str) -> ResultsFile:
        return ResultsFile(
            target, self._checkpoint, closed=self._closed, comparing=self._comparing, added=self._added
        )

    async def _open(self, target: str, files: contextlib.ExitStack) -> JsonLines:
        fd = _descriptor(target)
        if fd is not None:
            return JsonLines(fd, "standard output" if fd == _STDOUT else target, self._closed)
        if stat.S_ISFIFO(_mode(target)):
            fd = await self._reader_of(target)
        else:
            fd = open_target(target)
        files.callback(os.close, fd)
        return JsonLines(fd, printable(target), self._closed)

    async def _reader_of(self, pipe: str) -> int:
        fd = open_pipe(pipe)
        if fd is None:
            self._notice(
                "results.waiting_for_reader",
                f"Waiting for a reader of the named pipe {printable(pipe)}; nothing is sent before.",
            )
        while fd is None:
            await asyncio.sleep(_LOOK_S)
            fd = open_pipe(pipe)
        return fd

    def _closed(self, name: str) -> None:
        self._log("results.closed", to=name, checkpoint=str(self._checkpoint))

    def _comparing(self) -> None:
        self._notice(
            "results.comparing",
            f"Comparing {printable(self._target or '')} with the checkpoint: outcomes may be missing in it.",
        )

    def _added(self, count: int) -> None:
        self._log("results.completed", to=self._target, outcomes_of_earlier_runs=count)


def _descriptor(target: str) -> int | None:
    """Return the number of the open descriptor that a target stands for; None where it is a path."""
    if target in _STANDARD:
        return _STANDARD[target]
    found = _DESCRIPTOR.fullmatch(target)
    return int(found[1]) if found else None


def _check_descriptor(target: str, fd: int) -> None:
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError as error:
        raise cannot_write(target, error) from error
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise ConfigurationError(f"cannot write the results to {target}: it is open for reading only")


def _mode(path: str) -> int:
    """Return what kind of file stands there, a link not followed; 0 where there is none."""
    try:
        return Path(path).lstat().st_mode
    except (OSError, ValueError):
        return 0


def _identity(path: str, fd: int | None) -> tuple[int, int] | None:
    """Return what makes a file the same under two names; None for what is neither a file nor a pipe, or not there."""
    with contextlib.suppress(OSError, ValueError):
        found = Path(path).stat() if fd is None else os.fstat(fd)
        if stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode):
            return found.st_dev, found.st_ino
    return None


def _ended(summary: Summary, error: RunError | None) -> Summary:
    if error is None or summary.error:
        # The run has reported it already.
        return summary
    return replace(summary, ending=Ending.STOPPED, error=error)
