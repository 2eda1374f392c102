"""Which flows a restore takes, and how it ends."""

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowreaper.errors import ConfigurationError, OutageError, RunError
from flowreaper.job.restoration import Request, RestorePlan, RestoreRun, RestoreSummary, plan_restore
from flowreaper.model import Ending, Flow
from flowreaper.safeguards.backup_entry import BackupEntry, Origin, Saved, entry_of
from flowreaper.safeguards.backup_folder import held_folder
from flowreaper.safeguards.backup_reader import BackupReader
from flowreaper.safeguards.line_file import LineFile
from flowreaper.safeguards.restoration import Json, Restored, Result
from flowreaper.safeguards.restore_journal import Draft, RestoreJournal, Step
from tests.safeguards.samples import ORIGIN, saved

NOW = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)
FLOWS = [saved(str(number)) for number in range(1, 9)]
Save = Callable[..., int]


@pytest.fixture
def save(tmp_path: Path) -> Iterator[Save]:
    """Save flows into one backup, and return its folder's descriptor."""
    opened: list[int] = []

    def save(*flows: Saved) -> int:
        with held_folder(tmp_path / "saved", make=True) as folder:
            folder.begin(ORIGIN)
            folder.save(flows, ORIGIN)
        opened.append(os.open(tmp_path / "saved", os.O_RDONLY))
        return opened[-1]

    yield save
    for fd in opened:
        os.close(fd)


async def note(fd: int, *steps: tuple[Saved, Step, str], at: datetime = NOW) -> None:
    lines = LineFile.opened("restored.jsonl", fd)
    for flow, step, new_id in steps:
        await RestoreJournal(lines, ORIGIN, lambda: at).note(
            entry_of(flow, "account/1", ORIGIN), step, new_id
        )
    lines.close()


def taken(fd: int, plan: RestorePlan) -> list[str]:
    return [BackupReader(fd).entry_at(place).flow_id for place in plan.places]


def test_every_flow_is_taken_in_the_order_of_saving(save: Save) -> None:
    fd = save(*FLOWS[:3], saved("9", content=None))
    plan = plan_restore(fd, ORIGIN, Request())
    assert taken(fd, plan) == ["1", "2", "3", "9"]
    assert (plan.held, plan.without_json, plan.left, plan.known) == (4, 1, 0, ())
    assert plan.accounts == {ORIGIN.account}


async def test_what_an_earlier_run_did_is_not_taken_and_does_not_count_against_the_limit(save: Save) -> None:
    fd = save(*FLOWS[:5])
    await note(fd, (FLOWS[0], Step.CREATED, "71"), (FLOWS[2], Step.CREATING, ""))
    plan = plan_restore(fd, ORIGIN, Request(limit=3))
    assert taken(fd, plan) == ["2", "4", "3"]  # what must be waited for comes last
    assert (len(plan.known), plan.known_empty, plan.unanswered, plan.left) == (1, 1, 1, 1)


async def test_with_a_url_drafts_without_their_json_are_taken_too(save: Save) -> None:
    fd = save(*FLOWS[:2])
    await note(fd, (FLOWS[0], Step.CREATED, "71"), (FLOWS[1], Step.JSON_SET, "72"))
    plan = plan_restore(fd, ORIGIN, Request(json_base_url="https://f.example"))
    assert taken(fd, plan) == ["1"]
    assert (plan.filled, len(plan.known), plan.known_empty) == (1, 1, 0)


@pytest.mark.parametrize(
    ("target", "look", "count"),
    [
        (ORIGIN, True, 2),
        (ORIGIN._replace(account=""), True, 2),  # it may be that account
        (ORIGIN, False, 0),
        (ORIGIN._replace(account="2000000000000002"), True, 0),
        (ORIGIN._replace(endpoint="https://elsewhere.example"), True, 0),
    ],
)
def test_flows_are_looked_at_only_where_they_may_be(
    save: Save, target: Origin, *, look: bool, count: int
) -> None:
    assert plan_restore(save(*FLOWS[:2]), target, Request(look=look)).looked_at == count


async def test_flows_that_were_there_come_last_the_longest_not_looked_at_first(save: Save) -> None:
    fd = save(*FLOWS[:5])
    await note(fd, (FLOWS[1], Step.THERE, ""), (FLOWS[0], Step.CREATED, "71"))
    await note(fd, (FLOWS[0], Step.THERE, ""), (FLOWS[2], Step.CREATING, ""), at=NOW + timedelta(hours=2))
    await note(fd, (FLOWS[3], Step.THERE, ""), at=NOW - timedelta(hours=2))
    plan = plan_restore(fd, ORIGIN, Request())
    assert taken(fd, plan) == ["5", "4", "2", "3"]
    assert (plan.were_there, plan.looked_at, plan.unanswered, len(plan.known)) == (2, 4, 1, 1)
    # Otherwise a run with a limit would look at the same flows for ever, and be told to go on.
    limited = plan_restore(fd, ORIGIN, Request(limit=2))
    assert (taken(fd, limited), limited.left, limited.were_there) == (["5", "3"], 0, 2)
    blind = plan_restore(fd, ORIGIN, Request(limit=2, look=False))
    assert (taken(fd, blind), blind.left, blind.were_there) == (["2", "3"], 2, 0)


def test_flows_can_be_chosen_by_their_ids(save: Save) -> None:
    fd = save(*FLOWS[:3], saved("2", "cams-x"))
    assert taken(fd, plan_restore(fd, ORIGIN, Request(("2", "3")))) == ["2", "3", "2"]
    with pytest.raises(ConfigurationError, match=r"does not hold the flow 9\\x1b"):
        plan_restore(fd, ORIGIN, Request(("1", "9\x1b")))


def test_an_index_that_cannot_be_read_is_refused(save: Save, tmp_path: Path) -> None:
    fd = save(*FLOWS[:1])
    (tmp_path / "saved/index.jsonl").rename(tmp_path / "index.jsonl")
    (tmp_path / "saved/index.jsonl").symlink_to(tmp_path / "index.jsonl")
    with pytest.raises(ConfigurationError, match=r"cannot be read: index.jsonl"):
        plan_restore(fd, ORIGIN, Request())


class Fake:
    """Restores as `become` says, each flow in a moment; counts how many at once."""

    def __init__(self, become: Callable[[str], Restored | Exception]) -> None:
        self._become = become
        self.at_once = self.most = 0
        self.begun: list[str] = []
        self.drafts: list[Draft | None] = []

    async def restore(self, entry: BackupEntry, draft: Draft | None) -> Restored:
        self.begun.append(entry.flow_id)
        self.drafts.append(draft)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        found = self._become(entry.flow_id)
        if isinstance(found, Exception):
            raise found
        return found._replace(entry=entry)


def became(result: Result, set_json: Json = Json.NOT_SET) -> Restored:
    new_id = "7" if result in (Result.CREATED, Result.KNOWN) else ""
    return Restored(entry_of(FLOWS[0], "account/1", ORIGIN), result, new_id, set_json)


async def run(
    fd: int,
    become: Callable[[str], Restored | Exception] = lambda _: became(Result.CREATED),
    *,
    limit: int | None = None,
    during: Callable[[RestoreRun], None] = lambda _: None,
    done: Callable[[Restored], None] = lambda _: None,
) -> tuple[RestoreSummary, Fake]:
    fake: Any = Fake(become)

    def ended(restored: Restored) -> None:
        done(restored)
        during(running)

    running = RestoreRun(fake, BackupReader(fd), plan_restore(fd, ORIGIN, Request(limit=limit)), ended)
    summary = await running.run()
    assert running.in_flight == 0
    return summary, fake


async def test_several_flows_are_restored_at_once_and_each_is_told(save: Save) -> None:
    told: list[Restored] = []
    fd = save(*FLOWS)
    await note(fd, (FLOWS[3], Step.CREATING, ""))
    summary, fake = await run(fd, done=told.append)
    assert (summary.ending, summary.left) == (Ending.FINISHED, 0)
    assert summary.results == {Result.CREATED: 8}
    assert summary.json == {Json.NOT_SET: 8}
    assert fake.most == 5
    assert {restored.entry.flow for restored in told} == {Flow(str(n)) for n in range(1, 9)}
    assert sum(draft is not None for draft in fake.drafts) == 1


@pytest.mark.parametrize(
    ("last", "ending"),
    [
        (became(Result.CREATED), Ending.FINISHED),
        (became(Result.KNOWN, Json.SET), Ending.FINISHED),
        (became(Result.THERE), Ending.FINISHED),
        (became(Result.REFUSED), Ending.INCOMPLETE),
        (became(Result.UNSURE), Ending.INCOMPLETE),
        (became(Result.DAMAGED), Ending.INCOMPLETE),
        (became(Result.CREATED, Json.REFUSED), Ending.INCOMPLETE),
    ],
)
async def test_a_run_ends_as_its_flows_did(save: Save, last: Restored, ending: Ending) -> None:
    summary, _ = await run(save(*FLOWS), lambda flow_id: last if flow_id == "3" else became(Result.CREATED))
    assert summary.ending is ending
    assert summary.json.total() == 8 - (not last.new_flow_id)


async def test_a_line_that_cannot_be_read_is_a_flow_that_was_not_restored(save: Save, tmp_path: Path) -> None:
    fd = save(*FLOWS[:1])
    with (tmp_path / "saved/index.jsonl").open("ab") as file:
        file.write(b"garbage\n")
    summary, _ = await run(fd)
    assert summary.ending is Ending.INCOMPLETE


async def test_a_run_with_a_limit_leaves_the_rest(save: Save) -> None:
    summary, fake = await run(save(*FLOWS), limit=2)
    assert (summary.ending, summary.left, fake.begun) == (Ending.LIMIT, 6, ["1", "2"])


async def test_what_concerns_every_flow_ends_the_run_after_the_flows_that_are_begun(save: Save) -> None:
    error = OutageError("nothing answers")
    summary, fake = await run(
        save(*FLOWS), lambda flow_id: error if flow_id == "1" else became(Result.CREATED)
    )
    assert (summary.ending, summary.error) == (Ending.STOPPED, error)
    assert fake.begun == ["1", "2", "3", "4", "5"]
    assert summary.results == {Result.CREATED: 4}
    assert summary.left == 4


async def test_a_run_that_is_stopped_ends_the_flows_that_it_has_begun(save: Save) -> None:
    summary, fake = await run(save(*FLOWS), during=RestoreRun.stop)
    assert summary.ending is Ending.INTERRUPTED
    assert summary.results.total() == len(fake.begun) == 5
    assert summary.left == 3


async def test_a_run_that_is_abandoned_waits_for_nothing(save: Save) -> None:
    summary, _ = await run(save(*FLOWS), during=RestoreRun.abandon)
    assert summary.ending is Ending.INTERRUPTED
    assert summary.results.total() == 1
    assert summary.left == 7


async def test_a_reader_that_goes_away_ends_the_run(save: Save) -> None:
    def broken(_restored: Restored) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await run(save(*FLOWS), done=broken)


async def test_another_error_is_not_hidden(save: Save) -> None:
    with pytest.raises(ZeroDivisionError):
        await run(save(*FLOWS), lambda _: ZeroDivisionError())
    assert not issubclass(ZeroDivisionError, RunError)
