"""One ``flowreaper delete``, step by step: check, plan, ask, run, report."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from flowreaper.cli import preflight
from flowreaper.cli.advice import shown
from flowreaper.cli.arguments import checkpoint_of, input_settings_of, settings_of
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.gc_tuning import rare_collections
from flowreaper.cli.input import Input
from flowreaper.cli.results_target import ResultsTarget
from flowreaper.cli.run_facts import end_of, start_of, stops_at
from flowreaper.cli.service import CredentialsOf, caller_if_told, caller_of, open_service
from flowreaper.cli.signals import Signals
from flowreaper.cli.summary_file import SummaryFile
from flowreaper.cli.terminal import confirm
from flowreaper.cli.terminal.confirm import require_terminal
from flowreaper.cli.terminal.display import Display, ProgressMode, status_line
from flowreaper.cli.terminal.log import LogFormat
from flowreaper.cli.terminal.reporter import Reporter, local_time, make_reporter
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.start import Start
from flowreaper.cli.terminal.summary import error_status, exit_status
from flowreaper.client.actions import CallerIdentity
from flowreaper.errors import ConfigurationError, CredentialsError
from flowreaper.job.dry_run import Plan
from flowreaper.job.run import Beside, Run
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Opened, Snapshot, Summary
from flowreaper.model import Credentials, Ending
from flowreaper.producer.sources import Source
from flowreaper.sink.sink import Stream

_STDIN = 0


class DeleteCommand:
    """One ``flowreaper delete``, from its options to its exit status."""

    def __init__(
        self, ctx: click.Context, sources: list[Source], options: dict[str, Any], summary_file: SummaryFile
    ) -> None:
        self._ctx = ctx
        self._sources = sources
        self._options = options
        self._settings = settings_of(ctx, options)
        self._input = Input(sources, input_settings_of(options))
        self._checkpoint = checkpoint_of(sources, options)
        self._reporter = make_reporter(
            Screen(sys.stderr), LogFormat(options["log_format"]), options["log_level"]
        )
        self._signals = Signals(self._reporter.say)
        self._summary_file = summary_file
        self._results = ResultsTarget(
            options["results"], self._checkpoint, notice=self._reporter.notice, log=self._reporter.log.warning
        )

    def execute(self) -> int:
        """Check, then run or plan; return the exit status.

        Raises:
            FlowreaperError: nothing was sent, or the summary cannot be written.
        """
        self._check()
        if self._options["dry_run"]:
            asyncio.run(self._dry_run())
            return ExitStatus.DONE
        return asyncio.run(self._run(None if self._options["yes"] else require_terminal()))

    def _check(self) -> None:
        """Check all that can be checked before anybody is asked; raises ConfigurationError, CheckpointError."""
        others = {"--results": self._options["results"], "--summary-json": self._options["summary_json"]}
        others["--plan"] = self._options["plan"]
        preflight.check_paths(self._sources, self._checkpoint, others)
        self._summary_file.begin()
        self._results.check(self._sources)
        if self._settings.sandbox and self._results.is_file:
            raise ConfigurationError(
                "the outcomes of a rehearsal are of no real flow and belong in no file: use --results - to see them"
            )
        if not self._sources and preflight.has_unread_input(_STDIN):
            self._reporter.notice("input.not_read", "Note: standard input is not read; add - to read it")
        preflight.check_checkpoint(self._checkpoint, accept_lost_log=self._options["accept_lost_log"])
        is_named = self._options["checkpoint"] is not None
        if self._sources and not is_named and not self._settings.sandbox:
            preflight.refuse_another_job(self._sources, self._checkpoint)
        for note in preflight.unknown_retry_codes(self._checkpoint, self._settings):
            self._reporter.notice("retry_code.unknown", f"Note: {note}")

    async def _dry_run(self) -> None:
        """Report what a run would do, and do nothing else."""
        async with open_service(self._settings, self._options["profile"]) as (settings, source):
            try:
                credentials: Credentials | None = await source.get()
            except CredentialsError:
                credentials = None
            caller, unknown = None, ""
            if credentials:
                caller, unknown = await caller_if_told(settings, source, self._options, self._reporter.log)
            start = start_of(
                self._checkpoint,
                self._sources,
                settings,
                credentials,
                key_origin=source.origin,
                caller=caller,
            )
            start = replace(start, caller_unknown=unknown)
            start = replace(start, found=self._plan(caller))
            self._reporter.planned(start)
            preflight.refuse_too_many(settings, start.to_call)

    async def _run(self, terminal: int | None) -> int:
        """Ask on the terminal, if there is one; run, report the end, and return the exit status."""
        async with open_service(self._settings, self._options["profile"]) as (settings, source):
            credentials = await source.get()
            caller = await caller_of(settings, source, self._options, self._reporter.log)
            start = start_of(
                self._checkpoint,
                self._sources,
                settings,
                credentials,
                key_origin=source.origin,
                caller=caller,
            )
            preflight.refuse_unnamed_account(self._checkpoint, start.former_key, caller)
            if terminal is None:
                start = replace(start, found=self._plan(caller) if self._input.is_small() else None)
            else:
                answer = self._ask(terminal, start)
                if isinstance(answer, ExitStatus):
                    return answer
                start = replace(answer, stops_at=stops_at(settings))  # a question may wait for hours
            preflight.refuse_too_many(settings, start.to_call)
            for event, fields in preflight.unusual_settings(settings, self._options["region"]):
                self._reporter.log.warning(event, **fields)
            try:
                summary = await self._delete(settings, source, start, asked=terminal is not None)
            except Exception as error:
                if not self._reporter.failed(error):
                    raise
                self._summary_file.write_refusal(shown(error), error_status(error), self._checkpoint)
                return error_status(error)
        end = end_of(self._ctx, summary, start, self._sources, rehearsal=self._settings.sandbox)
        self._reporter.ended(end)
        interrupted = summary.ending is Ending.INTERRUPTED
        ended_with = (interrupted and self._signals.status) or exit_status(summary)
        self._summary_file.write(end, ended_with)
        return ended_with

    def _plan(self, caller: CallerIdentity | None) -> Plan:
        return self._input.plan(self._checkpoint, self._settings, caller)

    def _ask(self, terminal: int, start: Start) -> ExitStatus | Start:
        """Ask on the terminal; return the exit status if nothing will be sent, else what is known since then."""
        with confirm.interruptible():
            found = self._plan(start.caller)
            start = replace(start, found=found)
            text = self._reporter.plan_text(start)
            if not found.to_call and not start.piped:
                os.close(terminal)
                if found.invalid:  # nothing will be called, but the lines are recorded
                    return start
                self._reporter.say(f"{text}\nNothing left to do.")
                status = ExitStatus.INCOMPLETE if found.failed else ExitStatus.DONE
                self._summary_file.write_refusal("nothing was left to do", status, self._checkpoint)
                return status
            preflight.refuse_too_many(self._settings, start.to_call)
            if confirm.confirmed(terminal, text):
                return start
        self._reporter.say("Nothing was sent.")
        self._summary_file.write_refusal(
            "the question was not answered with yes", ExitStatus.USAGE, self._checkpoint
        )
        return ExitStatus.USAGE

    async def _delete(
        self, settings: Settings, credentials: CredentialsOf, start: Start, *, asked: bool
    ) -> Summary:
        """Run, with the results' target open; raises what `Run.run` raises."""
        reporter = self._reporter

        def opened(opened: Opened) -> None:
            reporter.started(replace(start, counts=opened.counts, known=opened.to_call), asked=asked)

        async def known() -> CallerIdentity | None:
            return start.caller

        async def run(streams: Sequence[Stream], beside: Beside) -> Summary:
            return await self._supervise(
                Run(
                    settings,
                    checkpoint=self._checkpoint,
                    credentials=credentials,
                    log=reporter.log,
                    identify=known,
                    make_producer=self._input.producer if self._sources else None,
                    first_listed=self._input.first_listed,
                    streams=streams,
                    accept_lost_log=self._options["accept_lost_log"],
                    opened=opened,
                    input_read=lambda read: reporter.input_read(start, read),
                    beside=beside,
                )
            )

        return await self._results.attend(run)

    async def _supervise(self, run: Run) -> Summary:
        """Run while signals are listened to and the progress is shown."""
        loop = asyncio.get_running_loop()
        display = _display(self._reporter, run.snapshot, self._options)
        self._signals.listen(loop, run)
        self._signals.answer(loop, display.tell)
        progress = asyncio.create_task(display.run())
        try:
            with rare_collections():
                return await run.run()
        finally:
            progress.cancel()
            await asyncio.wait((progress,))


def _display(reporter: Reporter, snapshot: Callable[[], Snapshot], options: Mapping[str, Any]) -> Display:
    """Return what shows a run's progress; JSON lines leave no place for a status line."""
    mode, is_json = ProgressMode(options["progress"]), options["log_format"] == LogFormat.JSON
    lines = mode is not ProgressMode.NONE and reporter.log.is_enabled_for(logging.INFO)
    return Display(
        snapshot,
        reporter.progress,
        status_line=None if is_json else status_line(reporter.screen, mode),
        interval_s=options["progress_interval"] if lines else 0.0,
        clock=local_time,
    )
