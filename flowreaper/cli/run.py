"""One ``flowreaper delete`` as a person sees it: the plan, the question, the run, signals, the end."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flowreaper import settings as rules
from flowreaper.cli import question
from flowreaper.cli import summary as ending
from flowreaper.cli.arguments import default_checkpoint, settings_of, typed
from flowreaper.cli.collector import rare_collections
from flowreaper.cli.options import command_line
from flowreaper.cli.signals import Signals
from flowreaper.client import CredentialSource
from flowreaper.credentials import StaticSource, find_source
from flowreaper.errors import ConfigurationError, OutputError
from flowreaper.escaping import printable
from flowreaper.file_guard import companion_named
from flowreaper.formats import Format, InputSettings
from flowreaper.job import Deliver, Job, identity_of
from flowreaper.log import LogFormat, make_log
from flowreaper.model import Credentials, Ending, ExitStatus, State, Summary
from flowreaper.producer import Producer, Source, read_entries
from flowreaper.progress import Progress, Screen
from flowreaper.report import last_access_key, left_elsewhere
from flowreaper.settings import Settings
from flowreaper.stream import open_lines
from flowreaper.survey import Survey, survey

_STDOUT = 1
_SANDBOX_LATENCY_S = 0.02
_READER_S = 1.0
_SHOWN = 3
_TEMPORARY = "STS."  # what the access keys of roles begin with


class Run:
    """One run, from the command's options to its exit status."""

    def __init__(self, ctx: click.Context, sources: list[Source], options: dict[str, Any]) -> None:
        self._ctx = ctx
        self._sources = sources
        self._options = options
        self._screen = Screen(sys.stderr)
        shape = LogFormat(options["log_format"])
        self._log = make_log(self._screen, shape, options["log_level"])
        # Where events are for machines, the start and the end are events, too; a person is told in words.
        self._for_machines = shape is LogFormat.JSON or (
            shape is LogFormat.AUTO and not self._screen.is_terminal
        )
        self._settings = settings_of(ctx, options)
        self._input = InputSettings(
            format=None if options["input_format"] == "auto" else Format(options["input_format"]),
            id_field=options["id_field"],
            space_field=options["space_field"],
            default_space=options["cust_space_id"],
        )
        self._checkpoint: Path = options["checkpoint"] or default_checkpoint(sources)
        self._check_paths()
        self._others = self._left_elsewhere()
        if self._others and options["checkpoint"] is None:
            raise ConfigurationError(
                f"the checkpoint {printable(str(self._checkpoint))} holds flows of other sources, which would be"
                f" deleted too: {_listed(self._others)}. Go on with that job by naming its checkpoint (-c), or give"
                " this one another"
            )
        self._former_key: str | None = None
        self._signals: Signals | None = None

    def say(self, text: str) -> None:
        """Tell a person something; with --log-format json, stderr is not for persons."""
        if self._options["log_format"] != LogFormat.JSON:
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

    def _left_elsewhere(self) -> dict[str, int]:
        """Count what would be deleted of sources that are not this run's, as another file of the same name."""
        if not self._sources:
            return {}
        mine = {os.path.realpath(s.path) for s in self._sources if s.path} | {s.name for s in self._sources}
        return left_elsewhere(
            self._checkpoint,
            lambda name: name in mine or os.path.realpath(name) in mine,
            (State.PENDING, State.CLAIMED, *self._settings.retry),
        )

    def _another_key(self, credentials: Credentials) -> str | None:
        """Return the access key that the checkpoint was last used with, where that may be another account's."""
        former = last_access_key(self._checkpoint) or credentials.masked_id
        # A role has another key each hour.
        same_role = bool(credentials.security_token) and former.startswith(_TEMPORARY)
        return None if former == credentials.masked_id or same_role else former

    def _survey(self, readable: list[Source]) -> Survey:
        return survey(
            (read_entries(source, self._input) for source in readable),
            self._checkpoint,
            identity_of(self._settings),
            self._settings.retry,
        )

    def _plan(self, found: Survey, readable: list[Source], access_key: str | None) -> str:
        return question.describe_plan(
            found,
            self._settings,
            checkpoint=self._checkpoint,
            access_key=access_key,
            former_key=self._former_key,
            piped=len(readable) < len(self._sources),
            sourced=bool(self._sources) and len(readable) == len(self._sources),
        )

    def tell_plan(self) -> None:
        """Say what a run would do, and nothing else."""
        plan = self._plan(self._survey(self._sources), self._sources, access_key=None)
        if self._for_machines:
            self._log.info("run.planned", plan=plan.splitlines())
        self.say(f"{plan}\nThis is a dry run: nothing was called, nothing was written.")

    async def run(self, terminal: int | None) -> int:
        """Ask, run, tell the end, and return the exit status."""
        async with self._service() as (settings, credentials):
            self._settings = settings
            found = await credentials.get()
            self._former_key = self._another_key(found)
            if terminal is not None and (status := self._ask(terminal, found.masked_id)) is not None:
                return status
            self._warn(asked=terminal is not None)
            summary = await self._run_job(settings, credentials)
        self._tell_end(summary)
        if self._signals and self._signals.status and not summary.error:
            return self._signals.status
        return ending.exit_status(summary)

    async def _run_job(self, settings: Settings, credentials: CredentialSource) -> Summary:
        with contextlib.ExitStack() as files:
            streams = []
            if self._options["results"]:
                lines = open_lines(self._options["results"], _STDOUT, self._results_closed)
                streams.append(files.enter_context(lines))
            job = Job(
                settings,
                checkpoint=self._checkpoint,
                credentials=credentials,
                log=self._log,
                make_feed=self._make_feed if self._sources else None,
                streams=streams,
                accept_lost_log=self._options["accept_lost_log"],
            )
            summary = await self._supervise(job)
            if not all(stream.written(_READER_S) for stream in streams):
                self.say("All is recorded. Waiting for the reader of the results; Ctrl-C twice leaves.")
            try:
                files.close()
            except OutputError as error:
                # Told by the run already, or the very last outcomes are what could not be written.
                if summary.error is None:
                    return replace(summary, ending=Ending.STOPPED, error=error)
        return summary

    def _ask(self, terminal: int, access_key: str) -> ExitStatus | None:
        """Ask on the terminal; return the exit status if nothing is to be sent, else None."""
        readable = [source for source in self._sources if source.rereadable]
        with question.interruptible():
            found = self._survey(readable)
            plan = self._plan(found, readable, access_key)
            if not found.to_call and not found.invalid and len(readable) == len(self._sources):
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
        self.say(f"Checkpoint: {printable(str(self._checkpoint))}")
        if self._for_machines:
            self._log.info(
                "run.started",
                checkpoint=str(self._checkpoint),
                endpoint=self._settings.endpoint.url,
                rate=self._settings.rate,
            )
        progress = asyncio.create_task(Progress(self._screen, self._log, job.snapshot).run())
        try:
            with rare_collections():
                return await job.run()
        finally:
            progress.cancel()
            await asyncio.wait((progress,))

    @contextlib.asynccontextmanager
    async def _service(self) -> AsyncIterator[tuple[Settings, CredentialSource]]:
        if not self._settings.sandbox:
            yield self._settings, find_source(self._options["profile"], os.environ)
            return
        from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

        rate = max(int(rules.DEFAULT_RATE), round(self._settings.rate))
        async with Sandbox(SandboxOptions(rate=rate, latency_s=_SANDBOX_LATENCY_S)) as sandbox:
            endpoint = rules.parse_endpoint(sandbox.url)
            yield replace(self._settings, endpoint=endpoint), StaticSource(CREDENTIALS)

    def _make_feed(self, deliver: Deliver) -> Producer:
        return Producer(self._sources, self._input, deliver)

    def _results_closed(self, name: str) -> None:
        self._log.warning("results.closed", to=name, checkpoint=str(self._checkpoint))

    def _warn(self, *, asked: bool) -> None:
        if self._former_key:
            if self._for_machines:
                self._log.warning("checkpoint.used_with_another_access_key", access_key=self._former_key)
            if not asked:
                self.say(f"Note: {question.another_key(self._former_key)}")
        if self._others:
            if self._for_machines:
                self._log.warning("checkpoint.holds_flows_of_other_sources", flows=self._others)
            # Whatever the log's level: what is deleted is gone.
            self.say(f"Flows of other sources in the checkpoint are deleted too: {_listed(self._others)}")
        settings = self._settings
        if settings.rate > rules.DEFAULT_RATE:
            self._log.warning(
                "rate.above_documented_quota", rate=settings.rate, documented=rules.DEFAULT_RATE
            )
        region = self._options["region"]
        if region != rules.DEFAULT_REGION and settings.endpoint == rules.region_endpoint(region):
            self._log.warning("region.undocumented", endpoint=settings.endpoint.url)

    def _tell_end(self, summary: Summary) -> None:
        resume = self._resume_command()
        if self._for_machines:
            self._log.info(
                "run.ended",
                ending=summary.ending.value,
                **{state.value: summary.counts.get(state, 0) for state in State},
                in_doubt=summary.in_doubt,
                inferred=summary.inferred,
                calls=summary.calls,
                throttled=summary.throttled,
                seconds=round(summary.seconds, 1),
                checkpoint=str(self._checkpoint),
                error=str(summary.error) if summary.error else None,
                resume=resume,
            )
        self.say(ending.describe(summary, self._checkpoint, resume, piped=self._piped))

    @property
    def _piped(self) -> bool:
        return any(not s.rereadable or s.name == "-" for s in self._sources)

    def _resume_command(self) -> str:
        # --retry would reopen what this run has just closed; a pipe cannot be read again, nor needs it to be.
        # The log is lost once, not each time.
        leave_out = ("retry", "accept_lost_log", *(("source",) if self._piped else ()))
        extra: tuple[str, ...] = (
            () if typed(self._ctx, "checkpoint") else ("--checkpoint", str(self._checkpoint))
        )
        if self._piped:
            files = [s.path for s in self._sources if s.rereadable and s.path]
            extra += tuple(f"./{path}" if path.startswith("-") else path for path in files)
        return command_line(self._ctx, leave_out=leave_out, extra=extra)


def _listed(flows: dict[str, int]) -> str:
    shown = ", ".join(f"{count:,} of {printable(name)}" for name, count in list(flows.items())[:_SHOWN])
    return shown + (f" and of {len(flows) - _SHOWN:,} more" if len(flows) > _SHOWN else "")
