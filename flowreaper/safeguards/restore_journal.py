"""What is known of the drafts that were made of a backup's flows: `restored.jsonl`, a line before and after each call.

A flow whose last line is "creating" may or may not have a draft: its call had no answer. That it was seen afterwards
does not change this.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from flowreaper.errors import OutputError
from flowreaper.escaping import printable
from flowreaper.model import Flow
from flowreaper.safeguards.backup_entry import JOURNAL, BackupEntry, Origin, json_object
from flowreaper.safeguards.line_file import LineFile, lines_in


class Step(StrEnum):
    """What was noted of a flow last."""

    CREATING = "creating"  # CreateFlow was about to be called
    CREATED = "created"  # it gave a new id
    REFUSED = "refused"  # it made no draft, for sure
    JSON_SET = "json_set"  # the draft has the flow's JSON
    THERE = "there"  # no draft was made: the flow itself was still there


class Draft(NamedTuple):
    """What is known of a flow's draft: the last step, the new id where there is one, and when that was noted."""

    step: Step
    new_flow_id: str
    at: datetime | None

    @property
    def is_unanswered(self) -> bool:
        """Whether a call for it had no answer."""
        return self.step is Step.CREATING


class RestoreJournal:
    """Notes steps for one target: drafts in another account, or at another endpoint, are others.

    `now` returns the time in UTC.
    """

    def __init__(self, lines: LineFile, target: Origin, now: Callable[[], datetime]) -> None:
        self._lines = lines
        self._target = target
        self._now = now
        self._turn = asyncio.Lock()

    async def note(self, entry: BackupEntry, step: Step, new_flow_id: str = "") -> None:
        """Note a step durably; raises OutputError, whose message names a new id that would be lost."""
        fields = {
            "step": step.value,
            "flow_id": entry.flow_id,
            "cust_space_id": entry.cust_space_id,
            "name": entry.name,
            "new_flow_id": new_flow_id or None,
            "file": None if entry.sha256 is None else entry.file,
            "at": self._now().isoformat(),
            **self._target._asdict(),
        }
        async with self._turn:
            try:
                await asyncio.to_thread(self._lines.append, json.dumps(fields).encode() + b"\n")
            except OSError as error:
                lost = f" (the new flow {printable(new_flow_id)} of {printable(entry.flow_id)} could not be noted)"
                raise OutputError(
                    f"cannot write to {JOURNAL} of the backup{lost if new_flow_id else ''}: {error.strerror}. Mend"
                    " that, then go on"
                ) from error


def read_journal(folder_fd: int, target: Origin, *, with_there: bool = True) -> dict[Flow, Draft]:
    """Return what is known of the drafts at a target, and `with_there` which flows were there; raises OSError."""
    drafts: dict[Flow, Draft] = {}
    for _, line in lines_in(JOURNAL, folder_fd):
        found = json_object(line)
        flow_id, space, step = (found.get(name) for name in ("flow_id", "cust_space_id", "step"))
        if not (isinstance(flow_id, str) and isinstance(space, str) and step in list(Step)):
            continue
        # Who does not know the account must take every draft for one that is there.
        if not target.may_be(found.get("account"), found.get("endpoint")):
            continue
        new_flow_id, at = found.get("new_flow_id"), found.get("at")
        flow, draft = Flow(flow_id, space), Draft(Step(step), str(new_flow_id or ""), _moment(at))
        if draft.step is Step.REFUSED:
            drafts.pop(flow, None)
        elif draft.step is not Step.THERE or (with_there and drafts.get(flow, draft).step is Step.THERE):
            drafts[flow] = draft
    return drafts


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
