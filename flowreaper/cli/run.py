"""One ``flowreaper delete``, step by step: check, plan, ask, run, report."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePath
from typing import Any

import click

from flowreaper.cli import preflight
from flowreaper.cli.advice import shown
from flowreaper.cli.arguments import checkpoint_of, input_settings_of, settings_of
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.gc_tuning import rare_collections
from flowreaper.cli.results_target import ResultsTarget
from flowreaper.cli.resume import is_piped, resume_command, retry_command
from flowreaper.cli.signals import Signals
from flowreaper.cli.summary_file import SummaryFile
from flowreaper.cli.terminal import confirm
from flowreaper.cli.terminal.confirm import require_terminal
from flowreaper.cli.terminal.log import LogFormat
from flowreaper.cli.terminal.progress import Progress, Screen
from flowreaper.cli.terminal.reporter import make_reporter
from flowreaper.cli.terminal.start import Start
from flowreaper.cli.terminal.summary import RunEnd, error_status, exit_status
from flowreaper.client.credentials import ChainSource, StaticSource, find_source
from flowreaper.client.endpoint import parse_endpoint
from flowreaper.errors import ConfigurationError, CredentialsError, FlowreaperError
from flowreaper.job.dry_run import Plan, plan
from flowreaper.job.run import Beside, Run, identity_of
from flowreaper.job.settings import DEFAULT_RATE, Settings
from flowreaper.job.summary import Opened, Summary
from flowreaper.model import Credentials, Flow, State
from flowreaper.producer.files import FilesProducer, read_entries
from flowreaper.producer.first_listed import first_listed
from flowreaper.producer.formats import may_be_csv
from flowreaper.producer.sources import Source
from flowreaper.sink.sink import Stream

_STDIN = 0
_SANDBOX_LATENCY_S = 0.02
_COUNTED_BEFORE = 256 * 1024
# Input of up to this many bytes (13,000 ids, some 40 ms) is counted before the first call where nobody is asked.

CredentialsOf = StaticSource | ChainSource


class DeleteCommand:
    """One ``flowreaper delete``, from its options to its exit status."""

    def __init__(self, ctx: click.Context, sources: list[Source], options: dict[str, Any]) -> None:
        self._ctx = ctx
        self._sources = sources
        self._options = options
        self._settings = settings_of(ctx, options)
        self._input = input_settings_of(options)
        self._checkpoint = checkpoint_of(sources, options)
        self._screen = Screen(sys.stderr)
        self._reporter = make_reporter(self._screen, LogFormat(options["log_format"]), options["log_level"])
        self._signals = Signals(self._reporter.say)
        self._summary_file = SummaryFile(options["summary_json"], self._checkpoint)
        self._results = ResultsTarget(
            options["results"], self._checkpoint, notice=self._reporter.notice, log=self._reporter.log.warning
        )

    def execute(self) -> int:
        """Check, then run or plan; return the exit status. Whatever becomes of it, the summary's file says so.

        Raises:
            FlowreaperError: nothing was sent, or the summary cannot be written.
        """
        try:
            self._check()
            if self._options["dry_run"]:
                asyncio.run(self._dry_run())
                return ExitStatus.DONE
            terminal = None if self._options["yes"] else require_terminal()
            return asyncio.run(self._run(terminal))
        except (FlowreaperError, KeyboardInterrupt) as error:
            if isinstance(error, FlowreaperError):
                self._summary_file.write_refusal(shown(error), error_status(error))
            else:
                self._summary_file.write_refusal("interrupted before anything was sent", 128 + signal.SIGINT)
            raise

    def _check(self) -> None:
        """Check all that can be checked before anybody is asked; raises ConfigurationError, CheckpointError."""
        others = {"--results": self._options["results"], "--summary-json": self._options["summary_json"]}
        preflight.check_paths(self._sources, self._checkpoint, others)
        if not self._options["dry_run"]:
            self._summary_file.begin()
        self._results.check(self._sources)
        if self._settings.sandbox and self._results.is_file:
            raise ConfigurationError(
                "the outcomes of a rehearsal are of no real flow and belong in no file: use --results - to see them"
            )
        if not self._sources and preflight.has_unread_input(_STDIN):
            self._reporter.notice(
                "input.not_read", "Note: standard input is not read; to read ids from it, add -"
            )
        preflight.check_checkpoint(self._checkpoint, accept_lost_log=self._options["accept_lost_log"])
        is_named = self._options["checkpoint"] is not None
        if self._sources and not is_named and not self._settings.sandbox:
            preflight.refuse_another_job(self._sources, self._checkpoint)

    async def _dry_run(self) -> None:
        """Report what a run would do, and do nothing else."""
        async with self._service() as (settings, source):
            try:
                credentials: Credentials | None = await source.get()
            except CredentialsError:
                credentials = None
            start = self._start(settings, credentials, source.origin)
            self._reporter.planned(replace(start, found=self._plan()))

    async def _run(self, terminal: int | None) -> int:
        """Ask on the terminal, if there is one; run, report the end, and return the exit status."""
        async with self._service() as (settings, source):
            credentials = await source.get()
            start = self._start(settings, credentials, source.origin)
            if terminal is None:
                start = replace(start, found=self._plan() if self._is_small() else None)
            elif (status := self._ask(terminal, start)) is not None:
                return status
            for event, fields in preflight.unusual_settings(settings, self._options["region"]):
                self._reporter.log.warning(event, **fields)
            try:
                summary = await self._delete(settings, source, start, asked=terminal is not None)
            except Exception as error:
                if self._reporter.failed(error):
                    return error_status(error)
                raise
        end = self._end(summary, start)
        self._reporter.ended(end)
        interrupted = self._signals.status and not summary.error
        ended_with = self._signals.status if interrupted else exit_status(summary)
        self._summary_file.write(end, ended_with)
        return ended_with

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncIterator[tuple[Settings, CredentialsOf]]:
        """Yield the settings and credentials of the service; for a rehearsal, of a sandbox that is started here."""
        if not self._settings.sandbox:
            yield self._settings, find_source(self._options["profile"], os.environ)
            return
        from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

        rate = max(int(DEFAULT_RATE), round(self._settings.rate))
        async with Sandbox(SandboxOptions(rate=rate, latency_s=_SANDBOX_LATENCY_S)) as sandbox:
            endpoint = parse_endpoint(sandbox.url)
            yield replace(self._settings, endpoint=endpoint), StaticSource(CREDENTIALS, "the sandbox")

    def _start(self, settings: Settings, credentials: Credentials | None, origin: str) -> Start:
        """Return what is known of the run before its input is read."""
        path, rehearsal = self._checkpoint, settings.sandbox
        return Start(
            endpoint="the sandbox" if rehearsal else settings.endpoint.url,
            access_key=credentials.masked_id if credentials else None,
            key_origin=origin,
            former_key=preflight.former_key(path, credentials) if credentials and not rehearsal else None,
            checkpoint=path,
            counts={} if rehearsal else preflight.counts_before(path),
            sources=tuple(source.name for source in self._sources),
            piped=any(not source.rereadable for source in self._sources),
            rate=settings.rate,
            limit=settings.limit,
        )

    def _plan(self) -> Plan:
        """Count what can be read twice; raises ConfigurationError."""
        readable = [source for source in self._sources if source.rereadable]
        return plan(
            (read_entries(source, self._input) for source in readable),
            self._checkpoint,
            identity_of(self._settings),
            self._settings.taken_again,
            listed=bool(self._sources),
            afresh=self._settings.sandbox,
        )

    def _is_small(self) -> bool:
        """Return whether counting the input before the first call takes no time to speak of."""
        sizes = [os.stat(s.path or _STDIN).st_size for s in self._sources if s.rereadable]  # noqa: PTH116 -- a path or a descriptor
        return bool(sizes) and sum(sizes) <= _COUNTED_BEFORE

    def _ask(self, terminal: int, start: Start) -> ExitStatus | None:
        """Ask on the terminal; return the exit status if nothing will be sent, else None."""
        with confirm.interruptible():
            found = self._plan()
            start = replace(start, found=found)
            text = self._reporter.plan_text(start)
            if not found.to_call and not found.invalid and not start.piped:
                os.close(terminal)
                self._reporter.say(f"{text}\nNothing left to do.")
                status = ExitStatus.INCOMPLETE if found.failed else ExitStatus.DONE
                self._summary_file.write_refusal("nothing was left to do", status)
                return status
            if confirm.confirmed(terminal, text):
                return None
        self._reporter.say("Nothing was sent.")
        self._summary_file.write_refusal("the question was not answered with yes", ExitStatus.USAGE)
        return ExitStatus.USAGE

    async def _delete(
        self, settings: Settings, credentials: CredentialsOf, start: Start, *, asked: bool
    ) -> Summary:
        """Run, with the results' target open; raises what `Run.run` raises."""
        reporter = self._reporter

        def opened(opened: Opened) -> None:
            reporter.started(replace(start, counts=opened.counts, known=opened.to_call), asked=asked)

        async def run(streams: Sequence[Stream], beside: Beside) -> Summary:
            return await self._supervise(
                Run(
                    settings,
                    checkpoint=self._checkpoint,
                    credentials=credentials,
                    log=reporter.log,
                    make_producer=(lambda deliver: FilesProducer(self._sources, self._input, deliver))
                    if self._sources
                    else None,
                    first_listed=self._first_listed,
                    streams=streams,
                    accept_lost_log=self._options["accept_lost_log"],
                    opened=opened,
                    input_read=lambda read: reporter.input_read(start, read),
                    beside=beside,
                )
            )

        return await self._results.attend(run)

    def _first_listed(self, flows: Sequence[Flow]) -> list[Flow]:
        """Return those of the flows that a source surely lists, a few of them.

        None where a quotation mark may be open: what follows it is no list, and the producer refuses it first.
        """
        if any(map(self._may_be_unclosed, self._sources)):
            return []
        found = (first_listed(source, self._input, flows) for source in self._sources)
        return next(filter(None, found), [])

    def _may_be_unclosed(self, source: Source) -> bool:
        return source.odd_quotes and may_be_csv(PurePath(source.path).suffix, self._input)

    async def _supervise(self, run: Run) -> Summary:
        """Run while signals are listened to and the progress is shown."""
        self._signals.listen(asyncio.get_running_loop(), run)
        progress = asyncio.create_task(Progress(self._screen, self._reporter.log, run.snapshot).run())
        try:
            with rare_collections():
                return await run.run()
        finally:
            progress.cancel()
            await asyncio.wait((progress,))

    def _end(self, summary: Summary, start: Start) -> RunEnd:
        """Return the facts of the end; a rehearsal has nothing to go on with: each begins afresh."""
        piped = is_piped(self._sources)
        if self._settings.sandbox:
            return RunEnd(summary, self._checkpoint, "", piped=piped)
        # Where the input was not read to its end, all that was there before may be of other inputs.
        others = any(start.counts.values()) if summary.unlisted is None else summary.unlisted > 0
        pipe_again = piped and others
        command = partial(
            resume_command,
            self._ctx,
            self._sources,
            self._checkpoint,
            read_all=summary.read_all,
            pipe_again=pipe_again,
        )
        return RunEnd(
            summary,
            self._checkpoint,
            command(),
            retry_absent=command(retry=(State.ABSENT,)),
            delete=retry_command(self._ctx, self._checkpoint),
            piped=piped,
            pipe_again=pipe_again,
        )
