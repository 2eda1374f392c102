"""A job as a function, for programs: `open_job`, and `delete_flows`, which does one job and returns its summary."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flowreaper.client.client import CredentialSource
from flowreaper.client.credentials import StaticSource, find_source
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.errors import ConfigurationError, FlowreaperError
from flowreaper.escaping import printable
from flowreaper.events import Log, StdlibLogger, as_log
from flowreaper.job.deletion import Deletion
from flowreaper.job.identity import identify as ask_identity
from flowreaper.job.max_delete import parse_max_delete
from flowreaper.job.pull_producer import PullProducer
from flowreaper.job.run import Identify, Run, nobody
from flowreaper.job.session import Session
from flowreaper.job.settings import Settings
from flowreaper.job.summary import Snapshot, Summary
from flowreaper.model import AnyEntry, Credentials
from flowreaper.producer.flow_ids import EntryFactory, compile_pattern
from flowreaper.producer.items import SOURCE, AnyFlows, entry_of, require_collection
from flowreaper.producer.pull import Pull, pull
from flowreaper.sink.sink import Stream


def open_job(
    checkpoint: Path | str,
    *,
    settings: Settings | None = None,
    credentials: Credentials | None = None,
    streams: Sequence[Stream] = (),
    log: Log | StdlibLogger | None = None,
    id_pattern: str | None = None,
    identify: bool = True,
    expect_account: str | None = None,
    max_delete: int | str | None = None,
) -> "Job":
    """Return a job to enter with `async with`; to resume one, open it again with the same checkpoint.

    - `settings`: 5 calls a second at the documented endpoint by default.
    - `credentials`: the environment's by default, else the official chain's.
    - `streams` get each outcome of this run once it is in the checkpoint.
    - `log`: a logger of structlog or of the standard library, or a `Log`; silent by default.
    - `id_pattern`: a regular expression that a whole id must match. By default an id has letters, digits and
      ``_ . : -``, and at least one digit.
    - `identify`: ask STS for the number of the credentials' account, which takes a call to another host and no
      permission. A checkpoint of another account is refused then, and the runs of one account share their pace.
    - `expect_account`: the number of the account that the credentials must belong to.
    - `max_delete`: as the flows come one by one, nobody can count them before, so this is a limit: the run ends before
      it calls more flows than this number (`delete_flows` calls none where there are more). No share.

    `expect_account` and `max_delete` come before those of `settings`. A job handles no signal and sets up no logging.

    Raises:
        ConfigurationError: `id_pattern` is no regular expression, `expect_account` no number or without `identify`,
            `max_delete` no number.
    """
    settings = _limited(_guarded(settings, expect_account, max_delete, identify=identify))
    source = _source(credentials)
    return Job(
        settings,
        checkpoint=Path(checkpoint),
        credentials=source,
        streams=streams,
        log=as_log(log),
        id_pattern=id_pattern,
        identify=_identify(settings, source, as_log(log), ask=identify),
    )


class Job:
    """A job in its `async with` block: one run, which takes flows until the block is left. Made by `open_job`.

    Leaving the block waits for the calls in progress and closes the checkpoint. Where it is left early (by `break` or
    `return` before all records have come, by an exception, by cancellation), it sends no more; what is left stays in
    the checkpoint. If leaving is cancelled, too, it does not wait for the calls: their flows are in doubt, and the next
    run finds out what became of them.

    Entering raises ConfigurationError where the checkpoint is another job's or in use, and RunError where there are no
    credentials or the checkpoint cannot be used: no call was made then. Trouble that stops the run later (see RunError)
    is raised by the iteration, or where the block is left if nothing else is raised; its `summary` says what was done.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        checkpoint: Path,
        credentials: CredentialSource,
        streams: Sequence[Stream],
        log: Log,
        id_pattern: str | None,
        identify: Identify,
    ) -> None:
        self._factory = EntryFactory(SOURCE, "", compile_pattern(id_pattern))
        self._session = Session(
            settings,
            checkpoint=checkpoint,
            credentials=credentials,
            log=log,
            identify=identify,
            streams=streams,
        )

    async def __aenter__(self) -> Self:
        await self._session.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.__aexit__(kind, error, trace)

    def delete(self, flows: AnyFlows) -> Deletion:
        """Delete flows, and iterate over their records: one for each flow given, as soon as it is durable.

        - `flows` is an iterable or an async iterable of any length. It is read from the first step of the iteration on;
          nothing happens before. A plain one is read in a thread of its own, so a cursor of sqlite3 needs a connection
          with ``check_same_thread=False``. What has come is called within 0.2 s if the pace allows, also while the
          iterable blocks.
        - A flow is its id (a str or an int), a `Flow`, or a pair of id and CustSpaceId; or one of these in a `Tagged`,
          whose tag comes back as `record.tag`. Anything else, and what is no flow id, gets the outcome `invalid`.
        - The records come in the order of the outcomes. A flow that is given twice is called once and has two records.
          One that has its outcome already is not called: its record comes again, with `record.earlier` true.
        - Not more than 10,000 flows are taken ahead of the records that were iterated over: who stops iterating stops
          the reading, and after these flows the sending.
        - There may be several at once, from several tasks. A flow in more than one is called once.
        - `break` leaves the rest unread. In a block that stays open, close the iterator, too (`contextlib.aclosing`).

        The iteration ends when every flow has its outcome, or when the run ends before that (`stop`, or a limit of
        `Settings`); then `summary.ending` says why. While the job has deleted nothing yet, an `absent` comes when it is
        sure that the run does not stop for it, or when nothing else is left to call. If a later flow stops the run for
        absences in a row (ConsecutiveAbsencesError), those that were seen are called again by the next run.

        Raises:
            TypeError: `flows` is a single id, or cannot be iterated.
            RuntimeError: outside the job's block.
            RunError: while iterating: trouble that concerns every flow has stopped the run.
            Exception: while iterating: what iterating `flows` raised, after the records of all that came before it.
        """
        require_collection(flows)
        return self._session.delete(pull(flows), partial(entry_of, self._factory))

    def delete_unfinished(self) -> Deletion:
        """Delete every unfinished flow of the checkpoint, and those that `Settings.retry` names, as `delete` does."""
        return self._session.delete_unfinished()

    def stop(self) -> None:
        """Read and send no more. Iterations end once the calls in progress have ended and are recorded."""
        self._session.stop()

    def snapshot(self) -> Snapshot:
        """Return how far the run is."""
        return self._session.snapshot()

    @property
    def summary(self) -> Summary:
        """What the run did, once it has ended: after the block, or in it where the run was stopped.

        Raises:
            RuntimeError: the run has not ended, or has not begun.
        """
        return self._session.summary


async def delete_flows(
    flows: AnyFlows | None = None,
    *,
    checkpoint: Path | str,
    settings: Settings | None = None,
    credentials: Credentials | None = None,
    streams: Sequence[Stream] = (),
    log: Log | StdlibLogger | None = None,
    id_pattern: str | None = None,
    identify: bool = True,
    expect_account: str | None = None,
    max_delete: int | str | None = None,
) -> Summary:
    """Delete flows and return what became of them; to resume, call it again with the same checkpoint.

    `flows`: as in `Job.delete`; only these are called. None: everything unfinished in the checkpoint. The other
    parameters are those of `open_job`. What stops the run is the summary's `error`.

    `max_delete`: a number, or a share of the flows in their spaces, as in ``"10%"``. All flows are read first, and
    where there are more, none is called: the summary's `error` is a TooManyFlowsError.

    Raises:
        TypeError: `flows` is a single id, or cannot be iterated.
        ConfigurationError: the checkpoint belongs to another job or is in use; `flows` is None and there is no
            checkpoint; `id_pattern` is no regular expression.
        RunError: there are no credentials, or the checkpoint cannot be used; no call was made.
        Exception: what iterating `flows` raised, once the calls in progress have ended and all is recorded.
    """
    settings = _guarded(settings, expect_account, max_delete, identify=identify)
    source = _source(credentials)
    parts: dict[str, Any] = {
        "checkpoint": Path(checkpoint),
        "credentials": source,
        "log": as_log(log),
        "identify": _identify(settings, source, as_log(log), ask=identify),
        "streams": streams,
    }
    if flows is None:
        _check_resumable(Path(checkpoint), settings)
        return await Run(settings, **parts).run()
    require_collection(flows)
    items, make_entry = pull(flows), partial(entry_of, EntryFactory(SOURCE, "", compile_pattern(id_pattern)))
    if settings.max_delete:  # all is read before the first call, which a session would not do
        return await Run(settings, make_producer=partial(PullProducer, items, make_entry), **parts).run()
    return await _delete_all(Session(settings, **parts), items, make_entry)


async def _delete_all(session: Session, items: Pull, make_entry: Callable[[Any, int], AnyEntry]) -> Summary:
    try:
        async with session:
            async for _ in session.delete(items, make_entry, last=True):
                pass
    except FlowreaperError as error:
        if error.summary is None or error is not error.summary.error:
            raise  # what iterating the flows raised, or it never began
    return session.summary


def _check_resumable(checkpoint: Path, settings: Settings) -> None:
    if settings.sandbox:
        raise ConfigurationError("a rehearsal begins with an empty checkpoint: give it flows")
    if not checkpoint.exists():
        raise ConfigurationError(
            f"there is no checkpoint {printable(str(checkpoint))} to resume: name another, or give flows"
        )


def _source(credentials: Credentials | None) -> CredentialSource:
    return StaticSource(credentials) if credentials else find_source(None, os.environ)


def _guarded(
    settings: Settings | None, expect_account: str | None, max_delete: int | str | None, *, identify: bool
) -> Settings:
    """Return the settings with what was given beside them."""
    settings = settings or _default_settings()
    if expect_account is not None:
        settings = replace(settings, expect_account=expect_account)
    if max_delete is not None:
        settings = replace(settings, max_delete=parse_max_delete(max_delete))
    if settings.expect_account is not None and not identify:
        raise ConfigurationError(
            "expect_account needs to know whose the credentials are: leave out identify=False, or expect_account"
        )
    return settings


def _limited(settings: Settings) -> Settings:
    """Return the settings for flows that come one by one: what may be called at most is their limit."""
    if settings.max_delete is None:
        return settings
    most = settings.max_delete.flows
    if not most:
        raise ConfigurationError(
            f"max_delete {settings.max_delete}: flows that come one by one cannot be counted before; give a number of 1"
            " or more, or all flows to delete_flows"
        )
    return replace(settings, limit=min(most, settings.limit or most), max_delete=None)


def _identify(settings: Settings, source: CredentialSource, log: Log, *, ask: bool) -> Identify:
    return partial(ask_identity, settings, source, log) if ask and not settings.sandbox else nobody


def _default_settings() -> Settings:
    return Settings(endpoint=region_endpoint(DEFAULT_REGION))
