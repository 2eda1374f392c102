"""One ``flowreaper verify``, step by step: open, check, show, report."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from flowreaper.cli.document import verification_summary
from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.new_file import STDOUT, check_new, new_file
from flowreaper.cli.preflight import former_key
from flowreaper.cli.run_facts import notes_of
from flowreaper.cli.service import caller_of, open_service
from flowreaper.cli.signals import Signals
from flowreaper.cli.terminal.log import LogFormat, make_log
from flowreaper.cli.terminal.screen import Screen
from flowreaper.cli.terminal.summary import error_status
from flowreaper.cli.terminal.verify import (
    combined_line,
    commands_after,
    describe_end,
    describe_progress,
    describe_scope,
)
from flowreaper.client.actions import CallerIdentity
from flowreaper.errors import CheckpointRefusedError, ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.settings import Settings
from flowreaper.job.verification import VerificationRun
from flowreaper.model import Credentials
from flowreaper.store.sqlite.reader import read_status
from flowreaper.store.verification import STILL_THERE, UNCLEAR, Checked, Extent, Scope, Verified

_REDRAW_S = 0.5
_LINE_EVERY_S = 60.0
_UNCLEAR_SHOWN = 3


class VerifyCommand:
    """One ``flowreaper verify``, from its options to its exit status."""

    def __init__(self, checkpoint: Path, settings: Settings, extent: Extent, options: dict[str, Any]) -> None:
        self._checkpoint = checkpoint
        self._settings = settings
        self._extent = extent
        self._options = options
        self._combined: Path | None = options["combined"]
        self._as_json: bool = options["as_json"]
        self._screen = Screen(sys.stderr)
        self._signals = Signals(self._say)
        self._out: BinaryIO | None = None
        self._scope = Scope(0, 0, 0)
        self._done = self._still_there = 0
        self._unclear: list[Checked] = []

    def execute(self) -> int:
        """CheckResult, report, and return the exit status.

        Raises:
            FlowreaperError: nothing was checked, or the file of --combined cannot be written.
        """
        if self._as_json and self._combined == STDOUT:
            raise ConfigurationError("--json and --combined - both write to standard output: name a file")
        check_new(self._combined, self._checkpoint, option="--combined")
        if read_status(self._checkpoint).sandbox:
            raise ConfigurationError(
                f"{printable(str(self._checkpoint))} is of a rehearsal, whose sandbox has ended: there is nothing to verify"
            )
        try:
            with contextlib.ExitStack() as stack:
                return asyncio.run(self._run(stack))
        except CheckpointRefusedError as error:
            error.advice = None  # it names options of `delete`
            raise

    async def _run(self, stack: contextlib.ExitStack) -> int:
        async with open_service(self._settings, self._options["profile"]) as (settings, source):
            log = make_log(self._screen, LogFormat.TEXT, "info")
            caller = await caller_of(settings, source, self._options, log)
            self._consider_key(await source.get(), caller)

            def opened(scope: Scope) -> None:
                self._scope = scope
                # Made here: where the checkpoint is refused, no empty file is left behind.
                self._out = stack.enter_context(new_file(self._combined)) if self._combined else None
                self._say(describe_scope(scope, self._extent, settings.read_rate, self._checkpoint))

            run = VerificationRun(
                settings,
                self._extent,
                checkpoint=self._checkpoint,
                credentials=source,
                log=log,
                account=caller.account if caller else "",
                opened=opened,
                checked=self._checked,
            )
            verified = await self._supervise(run)
        return self._report(verified)

    def _consider_key(self, credentials: Credentials, caller: CallerIdentity | None) -> None:
        """Refuse, or note, another key than the last where nobody can say that it is of the same account."""
        key = former_key(self._checkpoint, credentials, caller)
        if not key or (caller and read_status(self._checkpoint).account):
            return
        known = (
            f"the checkpoint was last used with the access key {printable(key)}, and does not know its account's number:"
            " to a key of another account every flow looks gone"
        )
        if caller is None:
            self._say(f"Note: {known}")
        elif self._options["expect_account"] is None:
            raise ConfigurationError(
                f"{known}. This key is of the account {caller.account}: if that is the right one, add"
                f" --expect-account {caller.account}"
            )

    async def _supervise(self, run: VerificationRun) -> Verified:
        """Check while signals are listened to and the progress is shown."""
        loop = asyncio.get_running_loop()
        began_at = loop.time()

        def progress() -> str:
            seconds = loop.time() - began_at
            return describe_progress(self._done, self._scope.total, self._still_there, seconds)

        self._signals.listen(loop, run)
        self._signals.answer(loop, lambda: self._say(progress()))

        async def show() -> None:
            while True:
                await asyncio.sleep(_REDRAW_S if self._screen.is_terminal else _LINE_EVERY_S)
                if self._screen.is_terminal:
                    self._screen.show(progress()[: self._screen.columns - 1])
                else:
                    self._say(progress())

        showing = asyncio.create_task(show())
        try:
            return await run.run()
        finally:
            showing.cancel()
            await asyncio.wait((showing,))
            self._screen.show("")

    def _checked(self, checked: Sequence[Checked]) -> None:
        self._done += len(checked)
        self._still_there += sum(each.check in STILL_THERE for each in checked)
        unclear = [each for each in checked if each.check in UNCLEAR]
        self._unclear += unclear[: _UNCLEAR_SHOWN - len(self._unclear)]
        if self._out:
            self._out.write("".join(map(combined_line, checked)).encode())
            self._out.flush()

    def _report(self, verified: Verified) -> int:
        verification, error = verified
        status = self._exit_status(verified)
        known = read_status(self._checkpoint)
        commands = commands_after(known, self._checkpoint, notes_of(self._checkpoint))
        self._say(describe_end(verification, commands, self._unclear, error))
        if self._as_json:
            click.echo(json.dumps(verification_summary(verified, self._checkpoint, commands, status)))
        return status

    def _exit_status(self, verified: Verified) -> int:
        if verified.error:
            return error_status(verified.error)
        if not verified.verification.complete:
            return self._signals.status or ExitStatus.STOPPED
        return ExitStatus.DONE if verified.verification.proves else ExitStatus.INCOMPLETE

    def _say(self, text: str) -> None:
        self._screen.write(f"{text}\n")
