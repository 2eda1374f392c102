"""One run of restoring: which flows of a backup it takes, and how far it is."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flowreaper.client.client import CredentialSource
from flowreaper.client.listing import list_flows
from flowreaper.errors import ConfigurationError, RunError
from flowreaper.escaping import printable
from flowreaper.events import Log
from flowreaper.job.operations import open_operations
from flowreaper.job.settings import Settings
from flowreaper.model import Ending, Flow
from flowreaper.safeguards.backup_entry import JOURNAL, BackupEntry, Origin
from flowreaper.safeguards.backup_folder import BackupFolder
from flowreaper.safeguards.backup_reader import BackupReader
from flowreaper.safeguards.line_file import LineFile
from flowreaper.safeguards.restoration import Json, Restoration, Restored, Result, needs_work
from flowreaper.safeguards.restore_journal import Draft, RestoreJournal, Step, read_journal

_AT_ONCE = 5
_FINISHING_S = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be restored: all flows, or those of `flow_ids`; `limit` bounds how many. None: no limit.

    `json_base_url` is where the service can fetch the backup's files, empty where it cannot. `look`: flows that may
    still be there are looked at first.
    """

    flow_ids: tuple[str, ...] = ()
    limit: int | None = None
    json_base_url: str = ""
    look: bool = True


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What a run would do.

    `places` are the flows that it takes, by their lines in the index, those that it must wait for last. `known` were
    done by earlier runs, `known_empty` of them without their JSON, and `left` are beyond the limit. `were_there` counts
    those that were there when an earlier run looked; they come after the others, and are not among `left`. Of those it
    takes, `filled` have a draft that lacks its JSON, `looked_at` may still be there, `unanswered` had a call without an
    answer, and `without_json` had no JSON. `accounts` are the accounts that the flows come from, `rehearsed` counts
    those of a sandbox. `unreadable` are numbers of lines that cannot be read.
    """

    held: int
    places: tuple[int, ...]
    known: tuple[int, ...]
    known_empty: int
    drafts: dict[Flow, Draft]
    accounts: frozenset[str]
    rehearsed: int
    filled: int
    looked_at: int
    were_there: int
    unanswered: int
    without_json: int
    left: int
    unreadable: tuple[int, ...]


@dataclass(slots=True)
class RestoreSummary:
    """What a run did: flows by what became of them, and of those with a draft, by what became of their JSON."""

    ending: Ending = Ending.FINISHED
    error: RunError | None = None
    results: Counter[Result] = field(default_factory=Counter)
    json: Counter[Json] = field(default_factory=Counter)
    left: int = 0


def plan_restore(folder_fd: int, target: Origin, request: Request) -> RestorePlan:
    """Return what a run would do with a backup; blocks.

    Raises:
        ConfigurationError: the backup cannot be read, or does not hold a flow that is asked for.
    """
    reader = BackupReader(folder_fd)
    try:
        index, drafts = reader.index(), read_journal(folder_fd, target, with_there=request.look)
        wanted = _in_turn(_wanted(index.places, request.flow_ids), drafts)
        taken: list[int] = []
        unanswered: list[int] = []
        known: list[int] = []
        accounts = set()
        known_empty = left = filled = looked_at = without_json = rehearsed = 0
        for flow, place in wanted:
            entry, draft = reader.entry_at(place), drafts.get(flow)
            accounts.add(entry.account)
            rehearsed += entry.is_rehearsed
            if not needs_work(entry, draft, with_json=bool(request.json_base_url)):
                known.append(place)
                known_empty += needs_work(entry, draft, with_json=True)
            elif request.limit is not None and len(taken) + len(unanswered) >= request.limit:
                left += not _was_there(draft)
            else:
                (unanswered if draft and draft.is_unanswered else taken).append(place)
                filled += (has_draft := draft is not None and bool(draft.new_flow_id))
                looked_at += not has_draft and _may_be_there(entry, target, request)
                without_json += entry.sha256 is None
    except OSError as error:
        part = printable(str(error.filename or "it"))
        raise ConfigurationError(f"the backup cannot be read: {part}: {error.strerror}") from None
    return RestorePlan(
        held=len(index.places),
        places=(*taken, *unanswered),
        known=tuple(known),
        known_empty=known_empty,
        drafts=drafts,
        accounts=frozenset(accounts - {""}),
        rehearsed=rehearsed,
        filled=filled,
        looked_at=looked_at,
        were_there=sum(_was_there(drafts.get(flow)) for flow, _ in wanted),
        unanswered=len(unanswered),
        without_json=without_json,
        left=left,
        unreadable=tuple(index.unreadable),
    )


def _wanted(places: dict[Flow, int], flow_ids: tuple[str, ...]) -> dict[Flow, int]:
    if not flow_ids:
        return places
    wanted = {flow: place for flow, place in places.items() if flow.flow_id in flow_ids}
    missing = set(flow_ids) - {flow.flow_id for flow in wanted}
    if missing:
        raise ConfigurationError(
            f"the backup does not hold the flow {printable(min(missing))}: name flows by the ids that they had"
        )
    return wanted


def _in_turn(wanted: dict[Flow, int], drafts: Mapping[Flow, Draft]) -> list[tuple[Flow, int]]:
    """Return flows in the order of the index, then those that were there, the longest not looked at first."""

    def turn(item: tuple[Flow, int]) -> tuple[bool, float]:
        draft = drafts.get(item[0])
        at = draft.at if draft and _was_there(draft) else None
        return _was_there(draft), at.timestamp() if at else 0.0

    return sorted(wanted.items(), key=turn)


def _was_there(draft: Draft | None) -> bool:
    return draft is not None and draft.step is Step.THERE


def _may_be_there(entry: BackupEntry, target: Origin, request: Request) -> bool:
    return request.look and target.may_be(entry.account, entry.endpoint)


class RestoreRun:
    """Restores the flows of a plan, several at once; `done` is called with each of them.

    A run that is stopped ends the flows that it has begun.
    """

    def __init__(
        self,
        restoration: Restoration,
        reader: BackupReader,
        plan: RestorePlan,
        done: Callable[[Restored], None],
    ) -> None:
        self._restoration = restoration
        self._reader = reader
        self._plan = plan
        self._done = done
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._begun = self._ended = 0
        self.summary = RestoreSummary()

    @property
    def in_flight(self) -> int:
        """How many flows are begun and not done."""
        return self._begun - self._ended

    def stop(self) -> None:
        """Begin no more flows."""
        self._stopped = True

    def abandon(self) -> None:
        """Do not even wait for the flows that are begun: whether they have a draft is found out by the next run."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    async def run(self) -> RestoreSummary:
        """Restore the flows, and return what was done; RunError ends it, and is in the summary."""
        flows = self._entries()
        self._tasks = [asyncio.create_task(self._work(flows)) for _ in range(_AT_ONCE)]
        _, unfinished = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        if unfinished:
            _, unfinished = await asyncio.wait(unfinished, timeout=_FINISHING_S)
            for task in unfinished:
                task.cancel()
        found = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._end([error for error in found if isinstance(error, Exception)])
        return self.summary

    async def _work(self, flows: Iterator[tuple[BackupEntry, Draft | None]]) -> None:
        for entry, draft in flows:
            try:
                restored = await self._restoration.restore(entry, draft)
                self.summary.results[restored.result] += 1
                if restored.new_flow_id:
                    self.summary.json[restored.json] += 1
                self._done(restored)
            except Exception:
                self._stopped = True
                raise
            finally:
                self._ended += 1

    def _entries(self) -> Iterator[tuple[BackupEntry, Draft | None]]:
        for place in self._plan.places:
            if self._stopped:
                return
            self._begun += 1
            entry = self._reader.entry_at(place)
            yield entry, self._plan.drafts.get(entry.flow)

    def _end(self, errors: list[Exception]) -> None:
        for error in errors:
            if not isinstance(error, RunError):
                raise error
        summary, made = self.summary, self.summary.results
        summary.left = self._plan.left + len(self._plan.places) - made.total()
        failed = (
            made[Result.REFUSED] + made[Result.UNSURE] + made[Result.DAMAGED] + summary.json[Json.REFUSED]
        )
        if errors and isinstance(errors[0], RunError):
            summary.ending, summary.error = Ending.STOPPED, errors[0]
        elif self._stopped:
            summary.ending = Ending.INTERRUPTED
        elif summary.left:
            summary.ending = Ending.LIMIT
        elif failed or self._plan.unreadable:
            summary.ending = Ending.INCOMPLETE


@contextlib.asynccontextmanager
async def open_restore(
    settings: Settings,
    credentials: CredentialSource,
    folder: BackupFolder,
    plan: RestorePlan,
    request: Request,
    *,
    account: str,
    log: Log,
    done: Callable[[Restored], None],
) -> AsyncIterator[RestoreRun]:
    """Wire a run over a backup that this process holds; `account` as for `open_operations`, empty if not known.

    Raises:
        CredentialsError: there are none.
        ConfigurationError: the notes of what was restored cannot be written.
    """
    target = Origin(account, settings.endpoint.url)
    paced_as = account or (await credentials.get()).access_key_id
    try:
        lines = LineFile.opened(JOURNAL, folder.fd)
    except OSError as error:
        raise ConfigurationError(
            f"{JOURNAL} of the backup {folder.name} cannot be used: {error.strerror}"
        ) from None
    try:
        async with open_operations(settings, credentials, account=paced_as, log=log) as operations:
            reader = BackupReader(folder.fd)
            restoration = Restoration(
                operations,
                reader,
                RestoreJournal(lines, target, _utc_now),
                lambda space, name: list_flows(operations, space, name=name),
                json_base_url=request.json_base_url,
                known_ids=[draft.new_flow_id for draft in plan.drafts.values() if draft.new_flow_id],
                may_be_there=lambda entry: _may_be_there(entry, target, request),
                now=_utc_now,
            )
            yield RestoreRun(restoration, reader, plan, done)
    finally:
        lines.close()


def _utc_now() -> datetime:
    return datetime.now(UTC)
