"""One ``flowreaper restore``, step by step: check, plan, ask, run, report."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from flowreaper.cli.advice import shown
from flowreaper.cli.exit_status import STATUS_OF, ExitStatus
from flowreaper.cli.options import command_line
from flowreaper.cli.service import CredentialsOf, caller_of, open_service
from flowreaper.cli.signals import Signals
from flowreaper.cli.terminal import confirm
from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.restore import (
    RestoreStart,
    describe,
    describe_end,
    known_record,
    record_line,
    trouble_line,
)
from flowreaper.cli.terminal.screen import Screen
from flowreaper.client.actions import CallerIdentity
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.restoration import Request, RestorePlan, RestoreSummary, open_restore, plan_restore
from flowreaper.job.settings import Settings
from flowreaper.model import Ending
from flowreaper.safeguards.backup_entry import Origin
from flowreaper.safeguards.backup_folder import BackupFolder, held_folder, open_folder
from flowreaper.safeguards.backup_reader import BackupReader
from flowreaper.safeguards.restoration import Restored

_PROGRESS_S = 60.0


class RestoreCommand:
    """One ``flowreaper restore``, from its options to its exit status."""

    def __init__(
        self, ctx: click.Context, folder: Path, settings: Settings, options: Mapping[str, Any]
    ) -> None:
        self._ctx = ctx
        self._folder = folder
        self._settings = settings
        self._options = options
        self._request = request_of(options)
        self._screen = Screen(sys.stderr)
        self._log = make_log(self._screen, LogFormat.TEXT, "info")
        self._done = 0

    def execute(self) -> int:
        """Plan, ask and restore; return the exit status.

        Raises:
            FlowreaperError: nothing was sent.
            OSError: standard output cannot be written.
        """
        asks = not (self._options["yes"] or self._options["dry_run"])
        return asyncio.run(self._run(confirm.require_terminal() if asks else None))

    async def _run(self, terminal: int | None) -> int:
        async with open_service(self._settings, self._options["profile"]) as (settings, source):
            key = (await source.get()).masked_id
            caller = await caller_of(settings, source, self._options, self._log)
            target = Origin(caller.account if caller else "", settings.endpoint.url)
            if self._options["dry_run"]:
                fd = open_folder(self._folder)
                try:
                    start = self._start(plan_restore(fd, target, self._request), key, caller)
                finally:
                    os.close(fd)
                self._say(describe(start, "Would make"))
                self._say("This is a dry run: no flow was looked at, no draft was made, nothing was written.")
                return ExitStatus.DONE
            with held_folder(self._folder, make=False) as folder:
                plan = plan_restore(folder.fd, target, self._request)
                start = self._start(plan, key, caller)
                if terminal is not None and plan.places:
                    with confirm.interruptible():
                        if not confirm.confirmed(terminal, describe(start, "About to make"), "Restore?"):
                            self._say("Nothing was sent.")
                            return ExitStatus.USAGE
                else:
                    self._say(describe(start, "Making"))
                self._show_known(folder, plan)
                return await self._restore(settings, source, folder, start)

    def _start(self, plan: RestorePlan, access_key: str, caller: CallerIdentity | None) -> RestoreStart:
        """Return what is known before anything is sent; raises ConfigurationError for another account's flows."""
        if (
            plan.rehearsed
            and self._settings.endpoint.scheme == "https"
            and not self._options["to_other_account"]
        ):
            raise ConfigurationError(
                f"the backup {printable(str(self._folder))} holds {plan.rehearsed:,} flows of a sandbox: restore it"
                " there (--endpoint), or make the drafts in the account all the same with --to-other-account"
            )
        others = plan.accounts - {caller.account} if caller else set()
        if others and not self._options["to_other_account"]:
            raise ConfigurationError(
                f"the backup {printable(str(self._folder))} is of the account {printable(min(others))}, and the access"
                f" key belongs to {caller.account if caller else ''}: use a key of that account, or make the drafts"
                " in this one all the same with --to-other-account"
            )
        fill = command_line(
            self._ctx, leave_out=("limit", "dry_run", "yes"), extra=("--json-base-url", "URL")
        )
        return RestoreStart(
            printable(str(self._folder)),
            self._settings.endpoint.url,
            access_key,
            caller,
            self._request.json_base_url,
            plan,
            fill,
            command_line(self._ctx),
        )

    def _show_known(self, folder: BackupFolder, plan: RestorePlan) -> None:
        reader = BackupReader(folder.fd)
        for place in plan.known:
            entry = reader.entry_at(place)
            sys.stdout.write(record_line(known_record(entry, plan.drafts[entry.flow])))
        sys.stdout.flush()

    async def _restore(
        self, settings: Settings, source: CredentialsOf, folder: BackupFolder, start: RestoreStart
    ) -> int:
        signals = Signals(self._say)
        account = start.caller.account if start.caller else ""
        async with open_restore(
            settings,
            source,
            folder,
            start.plan,
            self._request,
            account=account,
            log=self._log,
            done=self._show,
        ) as run:
            signals.listen(asyncio.get_running_loop(), run)
            progress = asyncio.create_task(self._show_progress(len(start.plan.places)))
            try:
                summary = await run.run()
            finally:
                progress.cancel()
        self._say(_ended(start, summary))
        interrupted = summary.ending is Ending.INTERRUPTED
        return (interrupted and signals.status) or STATUS_OF.get(summary.ending, ExitStatus.STOPPED)

    def _show(self, restored: Restored) -> None:
        self._done += 1
        sys.stdout.write(record_line(restored))
        sys.stdout.flush()
        if trouble := trouble_line(restored):
            self._say(trouble)

    async def _show_progress(self, count: int) -> None:
        while True:
            await asyncio.sleep(_PROGRESS_S)
            self._say(f"{self._done:,} of {count:,} flows are done")

    def _say(self, text: str) -> None:
        self._screen.write(f"{text}\n")


def request_of(options: Mapping[str, Any]) -> Request:
    """Return what is to be restored; raises ConfigurationError."""
    url = options["json_base_url"]
    if url is not None:
        _check_url(url)
    return Request(tuple(options["flow_id"]), options["limit"], url or "", look=not options["no_look"])


def _check_url(text: str) -> None:
    shown_url = printable(text)
    try:
        parts = urlsplit(text)
        usable = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and text.isascii()
            and text.isprintable()
        )
    except ValueError:
        usable = False
    if not usable or " " in text:
        raise ConfigurationError(
            f"--json-base-url {shown_url}: give an http or https URL, such as https://files.example.com/saved"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(
            f"--json-base-url {shown_url}: leave out everything after the path; each file's own path is added to it"
        )


def _ended(start: RestoreStart, summary: RestoreSummary) -> str:
    text = describe_end(start, summary)
    return f"{text}\nError: {shown(summary.error)}" if summary.error else text
