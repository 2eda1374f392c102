"""What becomes of a flow that is restored: one draft, or none, and never two."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client.actions import FlowDetails, ListedFlow
from flowreaper.client.operations import Refusal
from flowreaper.errors import Advice, FatalReplyError, ListingError, OutageError
from flowreaper.model import Flow, Reply
from flowreaper.safeguards.backup_entry import BackupEntry, entry_of
from flowreaper.safeguards.restoration import (
    MAX_CALLS,
    PATIENCE_S,
    Json,
    Restoration,
    Restored,
    Result,
    needs_work,
)
from flowreaper.safeguards.restore_journal import Draft, Step
from tests.safeguards.samples import ORIGIN, details, saved
from tests.virtual import run_virtual

BEGAN = datetime(2026, 11, 25, 19, 0, tzinfo=UTC)
BASE_URL = "https://files.example/saved"
LOST = Refusal(Reply(0, message="no answer", readable=False))
FAILING = Refusal(Reply(503, "InternalError", "try later", "RID-2"))
REFUSED = Refusal(Reply(400, "Flow.Name", "no\x1b[31m", "RID-1"))
GONE = Refusal(Reply(400, "Flow.NotFound", "no such flow", "RID-3"), gone=True)
UNANSWERED = Draft(Step.CREATING, "", BEGAN)
THERE = Draft(Step.THERE, "", BEGAN)


class Account:
    """An account in memory. `answers` are what comes back for the calls of CreateFlow: None is the new id.

    `made` tells whether a call without an answer made a flow; the list shows flows `lag_s` late.
    """

    def __init__(
        self,
        answers: Sequence[Refusal | Exception | str | None] = (),
        *,
        made: bool = False,
        lag_s: float = 0,
    ) -> None:
        self._answers: Iterator[Refusal | Exception | str | None] = iter(answers)
        self._made = made
        self._lag_s = lag_s
        self.sightings: list[FlowDetails | Refusal | Exception] = []
        """What GetFlow finds, look after look; then the flow is gone."""
        self.looked: list[Flow] = []
        self.flows: list[tuple[ListedFlow, float]] = []
        self.endpoint_uris: list[str] = []
        self.fetched: list[tuple[Flow, str]] = []
        self.listed = 0
        self.update: Refusal | None = None
        self.listing: Exception | None = None
        self.steps: list[tuple[str, Step, str]] = []

    async def get_flow(self, flow: Flow) -> FlowDetails | Refusal:
        self.looked.append(flow)
        found = self.sightings.pop(0) if self.sightings else GONE
        if isinstance(found, Exception):
            raise found
        return found

    async def create_flow(
        self, space: str, name: str, categories: Sequence[str], endpoint_uri: str = ""
    ) -> str | Refusal:
        assert self.steps[-1][1] is Step.CREATING
        answer = next(self._answers, None)
        self.endpoint_uris.append(endpoint_uri)
        new_id = f"7{len(self.flows)}"
        if (
            answer is None
            or (self._made and not isinstance(answer, Refusal))
            or (self._made and answer is LOST)
        ):
            self.add(ListedFlow(Flow(new_id, space), name, tuple(categories)))
        if isinstance(answer, Exception):
            raise answer
        return new_id if answer is None else answer

    def add(self, flow: ListedFlow) -> None:
        self.flows.append((flow, asyncio.get_running_loop().time()))

    async def update_flow_json(self, flow: Flow, url: str) -> Refusal | None:
        self.fetched.append((flow, url))
        return self.update

    async def list_flows(self, space: str, name: str) -> AsyncIterator[ListedFlow]:
        self.listed += 1
        if self.listing:
            raise self.listing
        for flow, since in self.flows:
            late = asyncio.get_running_loop().time() - since < self._lag_s
            if flow.flow.cust_space_id == space and name.strip() in flow.name and not late:
                yield flow

    async def note(self, entry: BackupEntry, step: Step, new_flow_id: str = "") -> None:
        self.steps.append((entry.flow_id, step, new_flow_id))


class Folder:
    def __init__(self, damage: str = "") -> None:
        self.damage = damage

    def damage_of(self, _entry: BackupEntry) -> str:
        return self.damage

    def endpoint_uri_of(self, _entry: BackupEntry) -> str:
        return "https://e.example"


def entry(flow_id: str = "1", *, space: str = "", content: bytes | None = b"{}") -> BackupEntry:
    return entry_of(saved(flow_id, space, content=content), f"account/{flow_id}", ORIGIN)


def restore(
    account: Account,
    draft: Draft | None = None,
    *,
    wanted: BackupEntry | None = None,
    base_url: str = "",
    damage: str = "",
    known_ids: Sequence[str] = (),
    may_be_there: bool = False,
    before: Callable[[], None] = lambda: None,
) -> tuple[Restored, float]:
    """Return what became of a flow, and how long it took."""

    async def run() -> tuple[Restored, float]:
        before()
        loop = asyncio.get_running_loop()
        restoration = Restoration(
            account,
            Folder(damage),
            account,
            account.list_flows,
            json_base_url=base_url,
            known_ids=known_ids,
            may_be_there=lambda _entry: may_be_there,
            now=lambda: BEGAN + timedelta(seconds=loop.time()),
        )
        # In virtual time a thread's work takes as long as it likes.
        return await restoration.restore(wanted or entry(), draft), loop.time()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "to_thread", _at_once)
        return run_virtual(run())


async def _at_once(function: Callable[..., object], *arguments: object) -> object:
    return function(*arguments)


def test_a_flow_becomes_a_draft_that_is_noted_before_and_after_the_call() -> None:
    account = Account()
    restored, _ = restore(account, wanted=entry(space="cams-x"))
    assert restored == Restored(entry(space="cams-x"), Result.CREATED, "70", Json.NOT_SET)
    assert account.steps == [("1", Step.CREATING, ""), ("1", Step.CREATED, "70")]
    assert [flow for flow, _ in account.flows] == [ListedFlow(Flow("70", "cams-x"), "promo", ("OTHER",))]
    assert account.endpoint_uris == ["https://e.example"]
    assert account.listed == 0


@pytest.mark.parametrize("base_url", [BASE_URL, f"{BASE_URL}/"])
def test_its_json_is_fetched_from_the_folder_below_the_url(base_url: str) -> None:
    account = Account()
    wanted = entry()._replace(folder="account/flow_%41~2")
    restored, _ = restore(account, wanted=wanted, base_url=base_url)
    assert restored.json is Json.SET
    assert account.fetched == [(Flow("70"), f"{BASE_URL}/account/flow_%2541~2/flow.json")]
    assert account.steps[-1] == ("1", Step.JSON_SET, "70")


def test_a_flow_without_json_needs_none() -> None:
    account = Account()
    restored, _ = restore(account, wanted=entry(content=None), base_url=BASE_URL)
    assert (restored.result, restored.json) == (Result.CREATED, Json.NONE)
    assert account.fetched == []


def test_a_draft_of_an_earlier_run_is_not_made_again_and_gets_its_json() -> None:
    account = Account()
    restored, _ = restore(account, Draft(Step.CREATED, "55", BEGAN), base_url=BASE_URL)
    assert (restored.result, restored.new_flow_id, restored.json) == (Result.KNOWN, "55", Json.SET)
    assert account.flows == []
    done, _ = restore(account, Draft(Step.JSON_SET, "55", BEGAN), base_url=BASE_URL)
    assert (done.result, done.json) == (Result.KNOWN, Json.SET)
    assert len(account.fetched) == 1


def test_json_that_the_service_does_not_take_leaves_a_draft() -> None:
    account = Account()
    account.update = REFUSED
    restored, _ = restore(account, base_url=BASE_URL)
    assert (restored.result, restored.new_flow_id, restored.json) == (Result.CREATED, "70", Json.REFUSED)
    assert "Flow.Name" in restored.message
    assert account.steps[-1][1] is Step.CREATED


def test_a_refused_flow_is_noted_as_not_made() -> None:
    account = Account([REFUSED])
    restored, _ = restore(account)
    assert (restored.result, restored.new_flow_id) == (Result.REFUSED, "")
    assert "Flow.Name" in restored.message
    assert restored.message.isprintable()
    assert account.steps[-1] == ("1", Step.REFUSED, "")


def test_a_damaged_flow_is_not_made() -> None:
    account = Account()
    restored, _ = restore(account, damage="flow.json is not what was saved")
    assert (restored.result, restored.message) == (Result.DAMAGED, "flow.json is not what was saved")
    assert account.steps == []


@pytest.mark.parametrize("answer", [LOST, FAILING, ""], ids=["lost", "failing", "without an id"])
def test_a_call_without_an_answer_is_made_again_only_after_a_patient_look(answer: Refusal | str) -> None:
    account = Account([answer])
    restored, took_s = restore(account)
    assert (restored.result, restored.new_flow_id) == (Result.CREATED, "70")
    assert account.listed == 1
    assert took_s >= PATIENCE_S


def test_a_call_without_an_answer_that_made_a_flow_is_not_made_again() -> None:
    account = Account([LOST], made=True, lag_s=PATIENCE_S - 1)
    restored, _ = restore(account)
    assert (restored.result, restored.new_flow_id) == (Result.UNSURE, "")
    assert "70" in restored.message
    assert len(account.flows) == 1
    assert account.steps == [("1", Step.CREATING, "")]  # so the next run looks again


def test_a_call_that_never_has_an_answer_is_given_up() -> None:
    account = Account([LOST] * 10)
    restored, _ = restore(account)
    assert restored.result is Result.UNSURE
    assert f"{MAX_CALLS} calls" in restored.message
    assert len(account.steps) == MAX_CALLS


def test_a_flow_that_an_earlier_run_left_unanswered_is_looked_for_first() -> None:
    account = Account()

    def there() -> None:
        account.add(ListedFlow(Flow("66"), "promo ", ()))

    restored, took_s = restore(account, UNANSWERED, before=there)
    assert restored.result is Result.UNSURE
    assert "66" in restored.message
    assert took_s >= PATIENCE_S
    assert account.steps == []


def test_a_long_time_after_an_unanswered_call_nobody_waits() -> None:
    long_ago = Draft(Step.CREATING, "", BEGAN - timedelta(hours=1))
    account = Account()
    restored, took_s = restore(account, long_ago)
    assert (restored.result, took_s < 1) == (Result.CREATED, True)
    assert account.listed == 1


@pytest.mark.parametrize("at", [None, BEGAN + timedelta(days=1)], ids=["not known", "in the future"])
def test_a_time_that_says_nothing_is_waited_for_as_if_it_were_now(at: datetime | None) -> None:
    _, took_s = restore(Account(), Draft(Step.CREATING, "", at))
    assert PATIENCE_S <= took_s < PATIENCE_S + 1


def test_a_flow_of_another_name_or_another_flows_draft_is_not_the_one() -> None:
    account = Account()

    def there() -> None:
        account.add(ListedFlow(Flow("66"), "promo 2", ()))
        account.add(ListedFlow(Flow("67"), "promo", ()))

    restored, _ = restore(account, UNANSWERED, before=there, known_ids=["67"])
    assert restored.result is Result.CREATED


def test_a_list_that_cannot_be_read_proves_nothing() -> None:
    account = Account()
    account.listing = ListingError("no such space")
    restored, _ = restore(account, UNANSWERED)
    assert restored.result is Result.UNSURE
    assert "no such space" in restored.message
    assert account.steps == []


def test_what_concerns_every_flow_is_raised_and_leaves_the_flow_unanswered() -> None:
    account = Account([OutageError("nothing answers")])
    with pytest.raises(OutageError):
        restore(account)
    assert account.steps == [("1", Step.CREATING, "")]


@pytest.mark.parametrize("status", ["DRAFT", "PUBLISHED", "DEPRECATED"])
def test_a_flow_that_is_still_there_gets_no_draft_and_is_noted(status: str) -> None:
    account = Account()
    account.sightings = [details("1", "cams-x")._replace(status=status)]
    restored, _ = restore(account, wanted=entry(space="cams-x"), base_url=BASE_URL, may_be_there=True)
    assert (restored.result, restored.new_flow_id) == (Result.THERE, "")
    assert restored.message == f"the flow is still there ({status})"
    assert account.looked == [Flow("1", "cams-x")]
    assert account.steps == [("1", Step.THERE, "")]
    assert (account.flows, account.fetched) == ([], [])


@pytest.mark.parametrize("draft", [None, THERE, UNANSWERED])
def test_a_flow_that_is_gone_gets_its_draft(draft: Draft | None) -> None:
    account = Account()
    restored, took_s = restore(account, draft, may_be_there=True)
    assert (restored.result, restored.new_flow_id) == (Result.CREATED, "70")
    assert len(account.looked) == 1
    # Only after a call without an answer it is waited for.
    assert (account.listed, took_s >= PATIENCE_S) == ((1, True) if draft is UNANSWERED else (0, False))


def test_a_flow_that_is_there_is_not_taken_for_the_draft_of_a_call_without_an_answer() -> None:
    account = Account()
    account.sightings = [details("1")]
    restored, took_s = restore(account, UNANSWERED, may_be_there=True)
    assert (restored.result, account.listed, took_s < 1) == (Result.THERE, 0, True)


@pytest.mark.parametrize("found", [REFUSED, FAILING, LOST, details("1")._replace(status="")])
def test_a_flow_that_cannot_be_looked_at_gets_no_draft(found: FlowDetails | Refusal) -> None:
    account = Account()
    account.sightings = [found]
    restored, _ = restore(account, may_be_there=True)
    assert (restored.result, restored.new_flow_id) == (Result.UNSURE, "")
    assert restored.message.startswith("whether the flow is still there is not known; GetFlow: ")
    assert restored.message.isprintable()
    assert (account.flows, account.steps) == ([], [])


def test_a_look_that_concerns_every_flow_is_raised_and_makes_nothing() -> None:
    account = Account()
    account.sightings = [OutageError("nothing answers")]
    with pytest.raises(OutageError):
        restore(account, may_be_there=True)
    assert (account.flows, account.steps) == ([], [])


@pytest.mark.parametrize(
    ("advice", "expected"),
    [(Advice.WITHOUT_STATUS, Advice.WITHOUT_LOOK), (Advice.TREAT_CODE, Advice.TREAT_CODE), (None, None)],
)
def test_a_missing_permission_to_look_is_answered_with_what_helps_a_restore(
    advice: Advice | None, expected: Advice | None
) -> None:
    account = Account()
    account.sightings = [FatalReplyError("no", advice)]
    with pytest.raises(FatalReplyError) as caught:
        restore(account, may_be_there=True)
    assert caught.value.advice is expected
    assert account.flows == []


def test_only_a_flow_that_may_be_there_and_has_no_draft_is_looked_at() -> None:
    account = Account()
    restore(account, may_be_there=False)
    restore(account, Draft(Step.CREATED, "55", BEGAN), base_url=BASE_URL, may_be_there=True)
    assert account.looked == []
    assert len(account.flows) == 1


@given(
    made=st.booleans(),
    lag_s=st.floats(0, PATIENCE_S),
    answers=st.lists(st.sampled_from([LOST, FAILING, REFUSED, "", None]), max_size=6),
    runs=st.integers(1, 4),
)
def test_whatever_comes_back_however_often_no_flow_is_made_twice(
    answers: list[Refusal | str | None], runs: int, lag_s: float, *, made: bool
) -> None:
    account = Account(answers, made=made, lag_s=lag_s)
    draft: Draft | None = None
    for _ in range(runs):
        restored, _ = restore(account, draft)
        account.flows = [(flow, 0.0) for flow, _ in account.flows]  # the next run's clock begins at 0
        _, step, new_id = account.steps[-1] if account.steps else ("", Step.REFUSED, "")
        draft = None if step is Step.REFUSED else Draft(step, new_id, BEGAN)
        assert (restored.new_flow_id != "") == (restored.result in (Result.CREATED, Result.KNOWN))
    assert len(account.flows) <= 1


@pytest.mark.parametrize(
    ("draft", "content", "with_json", "needed"),
    [
        (None, b"{}", False, True),
        (UNANSWERED, b"{}", False, True),
        (THERE, b"{}", False, True),
        (Draft(Step.CREATED, "7", BEGAN), b"{}", False, False),
        (Draft(Step.CREATED, "7", BEGAN), b"{}", True, True),
        (Draft(Step.CREATED, "7", BEGAN), None, True, False),
        (Draft(Step.JSON_SET, "7", BEGAN), b"{}", True, False),
    ],
)
def test_what_is_left_to_do(
    draft: Draft | None, content: bytes | None, *, with_json: bool, needed: bool
) -> None:
    assert needs_work(entry(content=content), draft, with_json=with_json) == needed
