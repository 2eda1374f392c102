"""One ``flowreaper list``, step by step: spaces, flows, output, plan, the last words."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flowreaper.cli.exit_status import ExitStatus
from flowreaper.cli.flow_formats import Columns, FlowFormat, FlowRow, FlowWriter
from flowreaper.cli.new_file import new_file
from flowreaper.cli.options import path_word
from flowreaper.cli.service import open_reading
from flowreaper.cli.spool import Spool
from flowreaper.cli.terminal.listing import decision_line, progress_line, sum_line
from flowreaper.cli.terminal.reporter import local_time
from flowreaper.cli.terminal.screen import Screen
from flowreaper.client.actions import CallerIdentity
from flowreaper.client.listing import list_spaces
from flowreaper.client.operations import Operations
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.flow_rules import FlowRules, Verdict
from flowreaper.job.listing import FoundFlow, Listing, Tally
from flowreaper.job.plan_file import PlanHeading, PlannedFlow, PlanWriter
from flowreaper.job.settings import Settings

_SHOWN_EVERY_S = 0.2
_FIRST_LINE_AFTER_S = 5.0
_LINE_EVERY_S = 60.0
_PIECE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What is to be listed.

    `spaces` are words of the command line, the account's own is empty; None: all. `flow_format` is None where nothing
    goes to standard output. `filters` are the options as they were typed. `plan` is the file to write, None: none.
    """

    rules: FlowRules
    spaces: tuple[str, ...] | None
    flow_format: FlowFormat | None
    verbose: bool
    filters: tuple[str, ...]
    plan: Path | None
    plan_expires_s: float
    replace_plan: bool

    @property
    def columns(self) -> Columns:
        """Return the columns of the output."""
        return Columns(space=self.spaces != ("",), status=bool(self.rules.statuses))

    @property
    def holds_output(self) -> bool:
        """Return whether all flows come at the end, or none where the list fails.

        Looking at flows takes GetFlow's pace, which the account has once: the reader of the list may look at them, too,
        and the two would halve it. The whole takes no longer so.
        """
        return bool(self.rules.statuses) and self.flow_format is not FlowFormat.TABLE

    @property
    def named_spaces(self) -> tuple[str, ...]:
        """Return the spaces that were named, without the account's own."""
        return tuple(filter(None, self.spaces or ()))


class ListCommand:
    """One ``flowreaper list``.

    `screen` is standard error. `has_status_line`: nothing else is shown on its terminal meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        options: Mapping[str, Any],
        request: ListRequest,
        screen: Screen,
        *,
        has_status_line: bool,
    ) -> None:
        self._settings = settings
        self._options = options
        self._request = request
        self._screen = screen
        self._has_status_line = has_status_line
        self._tally = Tally()

    async def run(self) -> int:
        """List, and return the exit status.

        Raises:
            FlowreaperError: the list could not be read or written to its end, or nothing was selected.
        """
        async with open_reading(self._settings, self._options, self._screen) as (operations, caller):
            spaces = await self._spaces(operations)
            with contextlib.closing(PlanWriter()) as plan:
                async with self._progress():
                    await self._list(Listing(operations, self._request.rules, self._tally), spaces, plan)
                self._check_selection()
                self._write_plan(plan, caller)
        return self._end()

    async def _spaces(self, operations: Operations) -> Sequence[str]:
        if self._request.spaces is not None:
            return self._request.spaces
        return ["", *(space.cust_space_id for space in await list_spaces(operations))]

    async def _list(self, listing: Listing, spaces: Sequence[str], plan: PlanWriter) -> None:
        with self._output() as write:
            async with aclosing(listing.read(spaces)) as flows:
                async for found in flows:
                    if self._request.verbose:
                        self._screen.write(f"{decision_line(found)}\n")
                    if found.decision.verdict is Verdict.SELECTED:
                        write(_row(found))
                        if self._request.plan:
                            plan.add(PlannedFlow(*found[:4], found.decision.rule))

    @contextlib.contextmanager
    def _output(self) -> Iterator[Callable[[FlowRow], None]]:
        shape = self._request.flow_format
        if shape is None:
            yield _drop
            return
        # Calls that are under way do not wait for a reader that does not read.
        with new_file(None) as out, Spool(out) as spool:
            if not self._request.holds_output:
                yield FlowWriter(spool.write, shape, self._request.columns).write
                return
            with tempfile.TemporaryFile() as held:
                yield FlowWriter(held.write, shape, self._request.columns).write
                held.seek(0)
                while piece := held.read(_PIECE):
                    spool.write(piece)

    def _check_selection(self) -> None:
        """Refuse to end as if all were well where rules have selected nothing, or a space that was named is empty."""
        if empty := [space for space in self._request.named_spaces if space in self._tally.empty]:
            raise ConfigurationError(
                f"the service shows no flow of the space {', '.join(map(printable, empty))}: `flowreaper spaces` lists the"
                " account's spaces"
            )
        if (self._request.rules.any or self._request.plan) and not self._tally.count(Verdict.SELECTED):
            raise ConfigurationError(
                f"no flow is selected: {sum_line(self._tally)}. Check the rules and the spaces"
            )

    def _write_plan(self, plan: PlanWriter, caller: CallerIdentity | None) -> None:
        if self._request.plan is None:
            return
        now = datetime.now(UTC)
        heading = PlanHeading(
            account=caller.account if caller else "",
            arn=caller.arn if caller else "",
            endpoint=self._settings.endpoint.url,
            filters=self._request.filters,
            made_at=now.isoformat(timespec="seconds"),
            expires_at=(now + timedelta(seconds=self._request.plan_expires_s)).isoformat(timespec="seconds"),
            seen=self._tally.seen,
            kept=self._tally.count(Verdict.KEPT),
            selected=plan.count,
        )
        plan.write(self._request.plan, heading, force=self._request.replace_plan)

    def _end(self) -> int:
        """Say what was found, and return the exit status."""
        self._screen.write(f"{sum_line(self._tally)}\n")
        if plan := self._request.plan:
            word = path_word(plan)
            self._screen.write(
                f"To look at the plan:  flowreaper plan {word}\n"
                # Days may pass until then: its drafts may be live.
                f"To delete its flows:  flowreaper delete --plan {word} --only-drafts\n"
            )
        if not self._tally.unknown:
            return ExitStatus.DONE
        self._screen.write(
            "Warning: the flows whose status is not known are left out; --verbose names them\n"
        )
        return ExitStatus.INCOMPLETE

    @contextlib.asynccontextmanager
    async def _progress(self) -> AsyncIterator[None]:
        """Show on standard error how far the listing is: on a status line, else in a line now and then."""
        showing = asyncio.create_task(self._show())
        try:
            yield
        finally:
            showing.cancel()
            await asyncio.wait((showing,))
            self._screen.show("")

    async def _show(self) -> None:
        wait_s = _SHOWN_EVERY_S if self._has_status_line else _FIRST_LINE_AFTER_S
        while True:
            await asyncio.sleep(wait_s)
            text = progress_line(self._tally)
            if self._has_status_line:
                self._screen.show(text[: self._screen.columns - 1])
            else:
                self._screen.write(f"{local_time():%H:%M:%S} {text}\n")
                wait_s = _LINE_EVERY_S


def _row(found: FoundFlow) -> FlowRow:
    return FlowRow(found.flow, found.name, found.categories, found.status)


def _drop(_row: FlowRow) -> None:
    """Write nothing."""
