"""What ``flowreaper delete`` reports on standard error: as text for people, or as JSON lines and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime

import structlog

from flowreaper.cli.advice import shown
from flowreaper.cli.terminal import lines
from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.progress import View
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.start import Start, describe, expectation, fields, left_alone
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.cli.terminal.summary import describe as describe_end
from flowreaper.escaping import printable
from flowreaper.job.summary import InputRead
from flowreaper.model import Ending, State

Clock = Callable[[], datetime]
"""Returns the local time."""


def local_time() -> datetime:
    """Return the local time."""
    return datetime.now().astimezone()


class Reporter(ABC):
    """What a run has to say, in its order. `log` takes events in the same form."""

    def __init__(
        self, screen: Screen, log: structlog.typing.FilteringBoundLogger, clock: Clock = local_time
    ) -> None:
        self.screen = screen
        self.log = log
        self._clock = clock

    @abstractmethod
    def say(self, text: str) -> None:
        """Show a person a line."""

    @abstractmethod
    def notice(self, event: str, text: str) -> None:
        """Say something that explains what happens or does not: an event's name, and the same for a person."""

    @abstractmethod
    def planned(self, start: Start) -> None:
        """Report what a run would do, which is all that a dry run does."""

    @abstractmethod
    def started(self, start: Start, *, asked: bool) -> None:
        """Report a run's beginning; `asked`: a person has seen it with the question."""

    @abstractmethod
    def input_read(self, start: Start, read: InputRead) -> None:
        """Report what the input held, when it was read to its end; `start` is what was known before."""

    @abstractmethod
    def progress(self, view: View) -> None:
        """Report how far the run is."""

    @abstractmethod
    def ended(self, end: RunEnd) -> None:
        """Report a run's end."""

    @abstractmethod
    def failed(self, error: Exception) -> bool:
        """Report an exception that ended the run; return whether that was done, else it is still to be shown."""

    def plan_text(self, start: Start) -> str:
        """Return what a person is asked to confirm."""
        return describe(start, "About to permanently delete", self._clock())


class TextReporter(Reporter):
    """For a person."""

    def say(self, text: str) -> None:
        """Show a person a line, above the status line."""
        self.screen.write(f"{text}\n")

    def notice(self, event: str, text: str) -> None:  # noqa: ARG002 -- the interface's signature
        """Show the text."""
        self.say(text)

    def planned(self, start: Start) -> None:
        """Show the plan of a dry run."""
        self.say(describe(start, "Would permanently delete", self._clock()))
        self.say("This is a dry run: nothing was called, nothing was written.")

    def started(self, start: Start, *, asked: bool) -> None:
        """Show what the run does, unless it was shown on this terminal with the question."""
        if not (asked and self.screen.is_terminal):
            self.say(describe(start, "Permanently deleting", self._clock()))

    def input_read(self, start: Start, read: InputRead) -> None:
        """Show what the input held, where the start could not."""
        if start.is_counted:
            return
        flows = _limited(start, read)
        self.say(
            f"Input read: {flows:,} flow{'' if flows == 1 else 's'} to delete,"
            f" {expectation(flows, start.rate, self._clock())}"
        )
        if read.unlisted:
            self.say(left_alone(read.unlisted, start.checkpoint))

    def progress(self, view: View) -> None:
        """Show a line, with the time as log events have it."""
        self.say(f"{view.now:%H:%M:%S} {lines.line(view)}")

    def ended(self, end: RunEnd) -> None:
        """Show the end in a few lines."""
        self.say(describe_end(end))

    def failed(self, error: Exception) -> bool:  # noqa: ARG002 -- the interface's signature
        """Leave an exception to the command, which shows every error the same way."""
        return False


class JsonReporter(Reporter):
    """For a program: an event for each thing, every start has an end, and no line is for people."""

    _started = False

    def say(self, text: str) -> None:
        """Show nothing."""

    def notice(self, event: str, text: str) -> None:
        """Log the event."""
        self.log.info(event, text=text)

    def planned(self, start: Start) -> None:
        """Log ``run.planned``."""
        self.log.info("run.planned", **fields(start, self._clock()))

    def started(self, start: Start, *, asked: bool) -> None:  # noqa: ARG002 -- the interface's signature
        """Log ``run.started``, and a warning of another access key."""
        self._started = True
        self.log.info("run.started", **fields(start, self._clock()))
        if start.former_key:
            self.log.warning("checkpoint.used_with_another_access_key", access_key=start.former_key)

    def input_read(self, start: Start, read: InputRead) -> None:
        """Log ``input.read``."""
        flows = _limited(start, read)
        self.log.info(
            "input.read",
            to_call=flows,
            repeated=read.repeated,
            unlisted=read.unlisted,
            expected_s=round(flows / start.rate, 1),
        )

    def progress(self, view: View) -> None:
        """Log ``run.progress``."""
        self.log.info("run.progress", **lines.fields(view))

    def ended(self, end: RunEnd) -> None:
        """Log ``run.ended``."""
        summary = end.summary
        report = self.log.error if summary.error else self.log.info
        report(
            "run.ended",
            ending=summary.ending.value,
            meaning=summary.ending.meaning,
            **{state.value: summary.counts.get(state, 0) for state in State},
            this_run={state.value: count for state, count in summary.this_run.items()},
            in_doubt=summary.in_doubt,
            inferred=summary.inferred,
            unlisted=summary.unlisted,
            calls=summary.calls,
            throttled=summary.throttled,
            seconds=round(summary.seconds, 1),
            checkpoint=str(end.checkpoint),
            error=shown(summary.error) if summary.error else None,
            found_nothing=end.found_nothing or None,
            resume=end.next_command or None,
        )

    def failed(self, error: Exception) -> bool:
        """Log ``run.ended`` with the error, where the run has started."""
        if self._started:
            self.log.error("run.ended", ending=Ending.STOPPED.value, error=printable(shown(error), 2000))
        return self._started


def make_reporter(screen: Screen, log_format: LogFormat, level: str) -> Reporter:
    """Return the reporter of this format; its log takes events from `level` (debug, info, warning, error) on."""
    kind = JsonReporter if log_format is LogFormat.JSON else TextReporter
    return kind(screen, make_log(screen, log_format, level))


def _limited(start: Start, read: InputRead) -> int:
    return read.to_call if start.limit is None else min(start.limit, read.to_call)
