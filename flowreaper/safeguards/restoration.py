"""Makes drafts of a backup's flows, each once: what was begun is noted before the call, the new id after it.

A backup also holds flows that were never deleted. So a flow that may be there is looked at first (GetFlow), and gets no
draft unless it is gone.

CreateFlow makes another flow each time that it is called. So a flow whose call had no answer is looked for by its name
first; if a flow of that name is there, nobody can tell whether it is this one, and none is made.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from urllib.parse import quote

from flowreaper.client.actions import ListedFlow
from flowreaper.client.codes import classify, in_words
from flowreaper.client.operations import Refusal
from flowreaper.errors import Advice, FatalReplyError, ListingError
from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import BackupEntry
from flowreaper.safeguards.restore_journal import Draft, Step
from flowreaper.safeguards.verify import NO_PATIENCE, FlowReader, There, Unknown, is_gone

PATIENCE_S = 15.0
"""A list may lag: this long after a call without an answer, the flow is looked for."""

MAX_CALLS = 3
"""A call that has no answer, and of which nothing shows, is made this many times."""

_NO_CATEGORY = ("OTHER",)  # CreateFlow wants one


class Service(FlowReader, Protocol):
    """What is asked of the service; `client.operations.Operations` does it."""

    async def create_flow(
        self, space: str, name: str, categories: Sequence[str], endpoint_uri: str = "", /
    ) -> str | Refusal:
        """Make a draft and return its id."""
        ...

    async def update_flow_json(self, flow: Flow, url: str, /) -> Refusal | None:
        """Let the service fetch a flow's JSON from a URL."""
        ...


class Backup(Protocol):
    """What is read of the backup; `BackupReader` does it. Its methods block."""

    def damage_of(self, entry: BackupEntry, /) -> str:
        """Return what is wrong with an entry's folder."""
        ...

    def endpoint_uri_of(self, entry: BackupEntry, /) -> str:
        """Return the address of a flow's own endpoint."""
        ...


class Journal(Protocol):
    """Where steps are noted; `RestoreJournal` is one."""

    async def note(self, entry: BackupEntry, step: Step, new_flow_id: str = "", /) -> None:
        """Note a step durably; raises OutputError."""
        ...


class Result(StrEnum):
    """What became of a flow's draft."""

    CREATED = "created"
    KNOWN = "known"  # an earlier run made it
    THERE = "there"  # the flow itself is still there, so none was made
    REFUSED = "refused"  # the service made none
    UNSURE = "unsure"  # nobody can tell whether the flow, or a draft of it, is there
    DAMAGED = "damaged"  # the backup is not what was saved


class Json(StrEnum):
    """What became of its JSON."""

    SET = "set"
    NONE = "none"  # the flow had none
    NOT_SET = "not_set"  # the service cannot fetch it: no URL was given
    REFUSED = "refused"  # the service did not take it


class Restored(NamedTuple):
    """What became of a flow; `message` says why where it is not what was wanted. `new_flow_id` is empty for none."""

    entry: BackupEntry
    result: Result
    new_flow_id: str
    json: Json
    message: str = ""


def needs_work(entry: BackupEntry, draft: Draft | None, *, with_json: bool) -> bool:
    """Return whether something is left to do for a flow; `with_json`: its JSON can be set, too."""
    if draft is None or not draft.new_flow_id:
        return True
    return with_json and entry.sha256 is not None and draft.step is not Step.JSON_SET


class Restoration:
    """Restores one flow after the other, several at once.

    `json_base_url` is where the service can fetch the backup's files, empty where it cannot. `listed` lists the flows
    of a space whose name the service finds like this one; `known_ids` are those of drafts that earlier runs made.
    `may_be_there` returns whether a flow is to be looked at first. `now` returns the time in UTC.
    """

    def __init__(
        self,
        service: Service,
        backup: Backup,
        journal: Journal,
        listed: Callable[[str, str], AsyncIterator[ListedFlow]],
        *,
        json_base_url: str,
        known_ids: Iterable[str],
        may_be_there: Callable[[BackupEntry], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._service = service
        self._backup = backup
        self._journal = journal
        self._listed = listed
        self._json_base_url = json_base_url.rstrip("/")
        self._known_ids = set(known_ids)
        self._may_be_there = may_be_there
        self._now = now

    async def restore(self, entry: BackupEntry, draft: Draft | None) -> Restored:
        """Make a flow's draft, unless it is known, and set its JSON; raises RunError for what concerns every flow."""
        none = Json.NONE if entry.sha256 is None else Json.NOT_SET
        if draft is not None and draft.new_flow_id:
            made = Restored(entry, Result.KNOWN, draft.new_flow_id, none)
            if draft.step is Step.JSON_SET:
                return made._replace(json=Json.SET)
        else:
            if damage := await asyncio.to_thread(self._backup.damage_of, entry):
                return Restored(entry, Result.DAMAGED, "", none, damage)
            wanted = Restored(entry, Result.CREATED, "", none)
            made = await self._left_alone(wanted) or await self._create(wanted, draft)
        if not made.new_flow_id or made.json is Json.NONE or not self._json_base_url:
            return made
        return await self._set_json(made)

    async def _left_alone(self, wanted: Restored) -> Restored | None:
        """Return what is said of a flow that is still there, for all that is known; None for one that is not."""
        if not self._may_be_there(wanted.entry):
            return None
        try:
            sighting = await is_gone(self._service, wanted.entry.flow, patience=NO_PATIENCE)
        except FatalReplyError as error:
            if error.advice is Advice.WITHOUT_STATUS:  # what it names does not help here
                error.advice = Advice.WITHOUT_LOOK
            raise
        if isinstance(sighting, There):
            await self._journal.note(wanted.entry, Step.THERE)
            why = f"the flow is still there ({printable(sighting.status, 40)})"
            return wanted._replace(result=Result.THERE, message=why)
        if isinstance(sighting, Unknown):
            why = f"whether the flow is still there is not known; GetFlow: {in_words(sighting.reply)}"
            return wanted._replace(result=Result.UNSURE, message=why)
        return None

    async def _create(self, wanted: Restored, draft: Draft | None) -> Restored:
        entry = wanted.entry
        endpoint_uri = await asyncio.to_thread(self._backup.endpoint_uri_of, entry)
        unanswered_at = draft.at or self._now() if draft and draft.is_unanswered else None
        answer: str | Refusal = ""
        for _ in range(MAX_CALLS):
            if unanswered_at and (doubt := await self._why_unsure(entry, unanswered_at)):
                return wanted._replace(result=Result.UNSURE, message=doubt)
            await self._journal.note(entry, Step.CREATING)
            answer = await self._service.create_flow(
                entry.cust_space_id, entry.name, entry.categories or _NO_CATEGORY, endpoint_uri
            )
            if isinstance(answer, str) and answer:
                self._known_ids.add(answer)
                await self._journal.note(entry, Step.CREATED, answer)
                return wanted._replace(new_flow_id=answer)
            if isinstance(answer, Refusal) and not classify(answer.reply).doubt:
                await self._journal.note(entry, Step.REFUSED)
                return wanted._replace(result=Result.REFUSED, message=f"CreateFlow: {in_words(answer.reply)}")
            unanswered_at = self._now()
        said = f"CreateFlow: {in_words(answer.reply)}" if isinstance(answer, Refusal) else "it gave no id"
        return wanted._replace(result=Result.UNSURE, message=f"{MAX_CALLS} calls had no answer; {said}")

    async def _why_unsure(self, entry: BackupEntry, unanswered_at: datetime) -> str:
        """Return why a flow may have a draft already, empty where it has none."""
        age_s = (self._now() - unanswered_at).total_seconds()
        await asyncio.sleep(min(PATIENCE_S, max(0.0, PATIENCE_S - age_s)))
        try:
            found = [
                printable(each.flow.flow_id)
                async for each in self._listed(entry.cust_space_id, entry.name)
                if each.name.strip() == entry.name.strip() and each.flow.flow_id not in self._known_ids
            ]
        except ListingError as error:
            return f"a call had no answer, and the flows cannot be listed: {error}"
        if not found:
            return ""
        return (
            f"a call had no answer, and there is a flow of this name, which may be the one: {', '.join(found[:5])}."
            " If it is not, restore the flow by hand"
        )

    async def _set_json(self, made: Restored) -> Restored:
        url = f"{self._json_base_url}/{quote(made.entry.file)}"
        refusal = await self._service.update_flow_json(Flow(made.new_flow_id, made.entry.cust_space_id), url)
        if refusal is not None:
            why = f"UpdateFlowJSONAsset: {in_words(refusal.reply)}"
            return made._replace(json=Json.REFUSED, message=why)
        await self._journal.note(made.entry, Step.JSON_SET, made.new_flow_id)
        return made._replace(json=Json.SET)
