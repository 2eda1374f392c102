"""One ``flowreaper delete`` as a person sees it: the plan, the question, the run, signals, the end."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from flowreaper.cli.arguments import default_checkpoint, rehearsal_checkpoint, settings_of, typed
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.gc_tuning import rare_collections
from flowreaper.cli.options import command_line
from flowreaper.cli.results_target import ResultsTarget
from flowreaper.cli.signals import Signals
from flowreaper.cli.terminal import confirm as question
from flowreaper.cli.terminal import summary as ending
from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.progress import Progress, Screen
from flowreaper.cli.terminal.start import Start, describe, expectation, fields, left_alone
from flowreaper.client.client import CredentialSource
from flowreaper.client.credentials import ChainSource, StaticSource, find_source
from flowreaper.client.endpoint import DEFAULT_REGION, parse_endpoint, region_endpoint
from flowreaper.errors import ConfigurationError, CredentialsError
from flowreaper.escaping import printable
from flowreaper.job.plan import Survey, survey
from flowreaper.job.run import Beside, InputRead, Job, Opened, identity_of
from flowreaper.job.settings import DEFAULT_RATE, Settings
from flowreaper.job.summary import Summary
from flowreaper.model import UNFINISHED, Credentials, Ending, Flow, State
from flowreaper.producer.files import FilesProducer, read_entries
from flowreaper.producer.first_listed import first_listed
from flowreaper.producer.formats import Format, InputSettings
from flowreaper.producer.producer import Deliver
from flowreaper.producer.sources import Source
from flowreaper.sink.sink import Stream
from flowreaper.store.sqlite.companions import companion_named
from flowreaper.store.sqlite.reader import is_begun, last_access_key, left_elsewhere, read_status

_STDIN = 0
_SANDBOX_LATENCY_S = 0.02
_SHOWN = 3
_COUNTED_BEFORE = 256 * 1024
# Input of up to this many bytes (13,000 ids, some 40 ms) is counted before the first call where nobody is asked.
_TEMPORARY = "STS."  # what the access keys of roles begin with


class Run:
    """One run, from the command's options to its exit status."""

    def __init__(self, ctx: click.Context, sources: list[Source], options: dict[str, Any]) -> None:
        self._ctx = ctx
        self._sources = sources
        self._options = options
        self._screen = Screen(sys.stderr)
        self._as_json = options["log_format"] == LogFormat.JSON
        self._log = make_log(self._screen, LogFormat(options["log_format"]), options["log_level"])
        self._settings = settings_of(ctx, options)
        self._input = InputSettings(
            format=None if options["input_format"] == "auto" else Format(options["input_format"]),
            id_field=options["id_field"],
            space_field=options["space_field"],
            default_space=options["cust_space_id"],
            id_pattern=options["id_pattern"],
        )
        self._checkpoint: Path = options["checkpoint"] or default_checkpoint(sources)
        if self._settings.sandbox:
            self._checkpoint = rehearsal_checkpoint(self._checkpoint)
        self._check_paths()
        self._results = ResultsTarget(
            options["results"], self._checkpoint, say=self.say, log=self._log.warning
        )
        self._results.check(sources)
        self._refuse_another_job()
        self._started = self._told_counts = False
        self._signals: Signals | None = None

    def say(self, text: str) -> None:
        """Show a person something; with --log-format json, stderr is not for people."""
        if not self._as_json:
            self._screen.write(f"{text}\n")

    def _check_paths(self) -> None:
        taken = {Path(s.path).resolve(): "a SOURCE" for s in self._sources if s.path}
        written = (("--checkpoint", self._checkpoint), ("--results", self._options["results"]))
        for option, path in written:
            if not path or path == "-":
                continue
            whole = Path(path).resolve()
            if whole in taken:
                raise ConfigurationError(
                    f"{option} {printable(str(path))} is {taken[whole]} too: give it a file of its own"
                )
            taken[whole] = "the checkpoint"
        given = [("a SOURCE", s.path) for s in self._sources if s.path]
        for what, path in (*given, ("--results", self._options["results"])):
            if path and path != "-" and (file := companion_named(self._checkpoint, Path(path))):
                raise ConfigurationError(
                    f"{what} {printable(str(path))} is {printable(file)}, a file that SQLite makes and removes"
                    f" beside the checkpoint {printable(str(self._checkpoint))}: give it another name, or name another"
                    " checkpoint with -c"
                )

    def _refuse_another_job(self) -> None:
        """Keep a file's job apart from that of another file of the same name, unless the user named the checkpoint."""
        if not self._sources or self._options["checkpoint"] is not None or self._settings.sandbox:
            return
        mine = {os.path.realpath(s.path) for s in self._sources if s.path} | {s.name for s in self._sources}
        others = left_elsewhere(
            self._checkpoint,
            lambda name: name in mine or os.path.realpath(name) in mine,
            UNFINISHED,
        )
        if others:
            raise ConfigurationError(
                f"the checkpoint {printable(str(self._checkpoint))} holds unfinished flows of other sources:"
                f" {_listed(others)}. To keep the jobs apart, name another checkpoint (-c NEW); to add to that job, name"
                f" its checkpoint (-c {printable(str(self._checkpoint))}): only flows of the present input are called"
            )

    def _another_key(self, credentials: Credentials) -> str | None:
        """Return the access key that the checkpoint was last used with, where that may be another account's."""
        former = last_access_key(self._checkpoint) or credentials.masked_id
        # A role has another key each hour.
        same_role = bool(credentials.security_token) and former.startswith(_TEMPORARY)
        return None if former == credentials.masked_id or same_role else former

    def _survey(self) -> Survey:
        """Count what can be read twice; raises ConfigurationError."""
        readable = [source for source in self._sources if source.rereadable]
        return survey(
            (read_entries(source, self._input) for source in readable),
            self._checkpoint,
            identity_of(self._settings),
            self._settings.taken_again,
            listed=bool(self._sources),
            afresh=self._settings.sandbox,
        )

    def _start(
        self, credentials: Credentials | None, origin: str, found: Survey | None, opened: Opened | None = None
    ) -> Start:
        counts = opened.counts if opened else self._counts_before()
        return Start(
            endpoint="the sandbox" if self._settings.sandbox else self._settings.endpoint.url,
            access_key=credentials.masked_id if credentials else None,
            key_origin=origin,
            former_key=self._another_key(credentials) if credentials and not self._settings.sandbox else None,
            checkpoint=self._checkpoint,
            counts=counts,
            sources=tuple(source.name for source in self._sources),
            piped=any(not source.rereadable for source in self._sources),
            found=found,
            known=opened.to_call if opened else 0,
            rate=self._settings.rate,
            limit=self._settings.limit,
        )

    def _counts_before(self) -> Mapping[State, int]:
        begun = is_begun(self._checkpoint) and not self._settings.sandbox
        return read_status(self._checkpoint).states if begun else {}

    async def tell_plan(self) -> None:
        """Say what a run would do, and nothing else."""
        async with self._service() as (settings, source):
            self._settings = settings
            try:
                credentials: Credentials | None = await source.get()
            except CredentialsError:
                credentials = None
            start = self._start(credentials, source.origin, self._survey())
        now = datetime.now().astimezone()
        if self._as_json:
            self._log.info("run.planned", **fields(start, now))
        self.say(describe(start, "Would permanently delete", now))
        self.say("This is a dry run: nothing was called, nothing was written.")

    async def run(self, terminal: int | None) -> int:
        """Ask, run, tell the end, and return the exit status."""
        async with self._service() as (settings, source):
            self._settings = settings
            credentials = await source.get()
            found = self._survey() if terminal is None and self._is_small() else None
            start = self._start(credentials, source.origin, found)
            if terminal is not None and (status := self._ask(terminal, start)) is not None:
                return status
            self._warn()
            try:
                summary = await self._run_job(settings, source, start, asked=terminal is not None)
            except Exception as error:
                if self._as_json and self._started:
                    # Each start has an end; in JSON, it is where the error stands.
                    self._log.error(
                        "run.ended", ending=Ending.STOPPED.value, error=printable(str(error), 2000)
                    )
                    return ending.error_status(error)
                raise
        self._tell_end(summary)
        if self._signals and self._signals.status and not summary.error:
            return self._signals.status
        return ending.exit_status(summary)

    def _is_small(self) -> bool:
        """Return whether counting the input before the first call takes no time to speak of."""
        sizes = [os.stat(s.path or _STDIN).st_size for s in self._sources if s.rereadable]  # noqa: PTH116 -- a path or a descriptor
        return bool(self._sources) and sum(sizes) <= _COUNTED_BEFORE

    async def _run_job(
        self, settings: Settings, credentials: CredentialSource, start: Start, *, asked: bool
    ) -> Summary:
        def run(streams: Sequence[Stream], beside: Beside) -> Awaitable[Summary]:
            job = Job(
                settings,
                checkpoint=self._checkpoint,
                credentials=credentials,
                log=self._log,
                make_producer=self._make_producer if self._sources else None,
                first_listed=self._first_listed,
                streams=streams,
                accept_lost_log=self._options["accept_lost_log"],
                opened=lambda opened: self._tell_start(start, opened, asked=asked),
                input_read=self._tell_input,
                beside=beside,
            )
            return self._supervise(job)

        return await self._results.attend(run)

    def _first_listed(self, flows: Sequence[Flow]) -> list[Flow]:
        """Return those of the flows that a source surely lists, a few of them."""
        found = (first_listed(source, self._input, flows) for source in self._sources)
        return next(filter(None, found), [])

    def _ask(self, terminal: int, start: Start) -> ExitStatus | None:
        """Ask on the terminal; return the exit status if nothing is to be sent, else None."""
        with question.interruptible():
            found = self._survey()
            start = replace(start, found=found)
            plan = describe(start, "About to permanently delete", datetime.now().astimezone())
            if not found.to_call and not found.invalid and not start.piped:
                os.close(terminal)
                self.say(f"{plan}\nNothing is left to do.")
                return ExitStatus.INCOMPLETE if found.failed else ExitStatus.DONE
            if question.confirmed(terminal, plan):
                return None
        self.say("Nothing was sent.")
        return ExitStatus.USAGE

    async def _supervise(self, job: Job) -> Summary:
        self._signals = Signals(job, self.say)
        self._signals.listen(asyncio.get_running_loop())
        progress = asyncio.create_task(Progress(self._screen, self._log, job.snapshot).run())
        try:
            with rare_collections():
                return await job.run()
        finally:
            progress.cancel()
            await asyncio.wait((progress,))

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncIterator[tuple[Settings, StaticSource | ChainSource]]:
        if not self._settings.sandbox:
            yield self._settings, find_source(self._options["profile"], os.environ)
            return
        from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

        rate = max(int(DEFAULT_RATE), round(self._settings.rate))
        async with Sandbox(SandboxOptions(rate=rate, latency_s=_SANDBOX_LATENCY_S)) as sandbox:
            endpoint = parse_endpoint(sandbox.url)
            yield replace(self._settings, endpoint=endpoint), StaticSource(CREDENTIALS, "the sandbox")

    def _make_producer(self, deliver: Deliver) -> FilesProducer:
        return FilesProducer(self._sources, self._input, deliver)

    def _tell_start(self, start: Start, opened: Opened, *, asked: bool) -> None:
        self._started = True
        start = replace(start, counts=opened.counts, known=opened.to_call)
        self._told_counts = start.is_counted
        now = datetime.now().astimezone()
        if self._as_json:
            self._log.info("run.started", **fields(start, now))
            if start.former_key:
                self._log.warning("checkpoint.used_with_another_access_key", access_key=start.former_key)
        elif not (asked and self._screen.is_terminal):  # it was shown with the question
            self.say(describe(start, "Permanently deleting", now))

    def _tell_input(self, read: InputRead) -> None:
        """Say what the input held, where that was not known at the start."""
        flows = read.to_call if self._settings.limit is None else min(self._settings.limit, read.to_call)
        now = datetime.now().astimezone()
        if self._as_json:
            self._log.info(
                "input.read",
                to_call=flows,
                repeated=read.repeated,
                unlisted=read.unlisted,
                expected_s=round(flows / self._settings.rate, 1),
            )
        elif not self._told_counts:
            self.say(
                f"Input read: {flows:,} flow{'' if flows == 1 else 's'} to delete,"
                f" {expectation(flows, self._settings.rate, now)}"
            )
            if read.unlisted:
                self.say(left_alone(read.unlisted, self._checkpoint))

    def _warn(self) -> None:
        settings = self._settings
        if settings.rate > DEFAULT_RATE:
            self._log.warning("rate.above_documented_quota", rate=settings.rate, documented=DEFAULT_RATE)
        region = self._options["region"]
        if region != DEFAULT_REGION and settings.endpoint == region_endpoint(region):
            self._log.warning("region.undocumented", endpoint=settings.endpoint.url)

    def _tell_end(self, summary: Summary) -> None:
        # A rehearsal has nothing to go on with: each begins afresh.
        resume = "" if self._settings.sandbox else self._resume_command(summary)
        if self._as_json:
            self._log.info(
                "run.ended",
                ending=summary.ending.value,
                **{state.value: summary.counts.get(state, 0) for state in State},
                in_doubt=summary.in_doubt,
                inferred=summary.inferred,
                unlisted=summary.unlisted,
                calls=summary.calls,
                throttled=summary.throttled,
                seconds=round(summary.seconds, 1),
                checkpoint=str(self._checkpoint),
                error=str(summary.error) if summary.error else None,
                resume=resume or None,
            )
        self.say(ending.describe(summary, self._checkpoint, resume, piped=self._piped))

    @property
    def _piped(self) -> bool:
        return any(not s.rereadable or s.name == "-" for s in self._sources)

    def _resume_command(self, summary: Summary) -> str:
        # --retry would reopen what this run has just closed; a pipe cannot be read again, nor needs it to be.
        # The log is lost once, not each time.
        leave_out = ("retry", "retry_code", "accept_lost_log", *(("source",) if self._piped else ()))
        extra: tuple[str, ...] = (
            () if typed(self._ctx, "checkpoint") else ("--checkpoint", str(self._checkpoint))
        )
        if not self._piped:
            return command_line(self._ctx, leave_out=leave_out, extra=extra)
        everything = command_line(self._ctx, leave_out=leave_out, extra=extra)
        files = [s.path for s in self._sources if s.rereadable and s.path]
        if summary.read_all or not files:
            return everything
        # Files beside the pipe were not read to their end: read them first, then take what came from the pipe.
        extra += tuple(f"./{path}" if path.startswith("-") else path for path in files)
        return f"{command_line(self._ctx, leave_out=leave_out, extra=extra)}; {everything}"


def _listed(flows: dict[str, int]) -> str:
    shown = ", ".join(f"{count:,} of {printable(name)}" for name, count in list(flows.items())[:_SHOWN])
    return shown + (f" and of {len(flows) - _SHOWN:,} more" if len(flows) > _SHOWN else "")
