"""Looking whether flows are gone: what a look finds, when it is repeated, and many flows at once."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client.actions import FlowDetails
from flowreaper.client.operations import Refusal
from flowreaper.errors import OutageError
from flowreaper.model import Flow, Reply, ReplyClass
from flowreaper.safeguards.verify import (
    NO_PATIENCE,
    PATIENCE_S,
    Gone,
    Sighting,
    There,
    Unknown,
    Verifier,
    is_gone,
)
from tests.virtual import run_virtual

FLOW = Flow("7")
MISSING = Refusal(Reply(404, "Flow.NotExist", "gone", "R-1"), gone=True)
META = Refusal(Reply(400, "ERR-FB-001", "Object with ID '7' does not exist", "R-2"))
REFUSED = Refusal(Reply(400, "Unknown.ResourceOwnerId", "not yours", "R-3"))


def details(status: str = "DRAFT") -> FlowDetails:
    return FlowDetails(FLOW, "a name", status, (), {})


class Service:
    """Answers GetFlow with one thing after the other, the last for ever."""

    def __init__(self, *answers: FlowDetails | Refusal) -> None:
        self._answers = list(answers)
        self.looked_at: list[float] = []

    async def get_flow(self, flow: Flow, /) -> FlowDetails | Refusal:  # noqa: ARG002 -- the Protocol's signature
        self.looked_at.append(round(asyncio.get_running_loop().time(), 3))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def sighting(
    service: Service,
    patience: Sequence[float] = PATIENCE_S,
    treat: Mapping[str, ReplyClass] | None = None,
) -> Sighting:
    return run_virtual(is_gone(service, FLOW, patience=patience, treat=treat))


@pytest.mark.parametrize("missing", [MISSING, META])
def test_a_flow_that_the_service_does_not_know_is_gone_at_the_first_look(missing: Refusal) -> None:
    service = Service(missing)
    assert sighting(service) == Gone(missing.reply)
    assert service.looked_at == [0]


@pytest.mark.parametrize("status", ["DRAFT", "PUBLISHED", "SOMETHING_NEW"])
def test_a_flow_is_there_whatever_its_status_once_patience_is_over(status: str) -> None:
    service = Service(details(status))
    assert sighting(service) == There(status)
    assert service.looked_at == [0, 1, 3, 7, 15]


def test_a_service_that_lags_behind_its_deletions_is_given_time() -> None:
    service = Service(details(), details(), MISSING)
    assert sighting(service) == Gone(MISSING.reply)
    assert service.looked_at == [0, 1, 3]


def test_a_flow_that_may_be_there_is_looked_at_once() -> None:
    service = Service(details(), MISSING)
    assert sighting(service, NO_PATIENCE) == There("DRAFT")


@pytest.mark.parametrize("answer", [REFUSED, details("")])
def test_what_says_neither_is_believed_in_neither_way(answer: FlowDetails | Refusal) -> None:
    assert isinstance(sighting(Service(answer)), Unknown)


def test_a_code_can_be_given_a_meaning_as_for_deletions() -> None:
    odd = Refusal(Reply(400, "Flow.Vanished", "", "R-4"))
    assert sighting(Service(odd)) == Unknown(odd.reply)
    assert sighting(Service(odd), treat={"Flow.Vanished": ReplyClass.ABSENT}) == Gone(odd.reply)


async def given_flows(count: int) -> AsyncIterator[tuple[int, Flow, Sequence[float]]]:
    for number in range(count):
        yield number, Flow(str(number)), NO_PATIENCE


class SlowLook:
    """Takes as long as `seconds` says for each flow; fails for the flow `bad`."""

    def __init__(self, seconds: Sequence[float] = (1.0,), bad: int | None = None) -> None:
        self._seconds = seconds
        self._bad = bad
        self.at_once = self.most_at_once = self.cancelled = 0

    async def __call__(self, flow: Flow, /, *, patience: Sequence[float]) -> Sighting:  # noqa: ARG002 -- the same
        number = int(flow.flow_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds[number % len(self._seconds)])
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.at_once -= 1
        if number == self._bad:
            raise OutageError("nothing answers")
        return There(flow.flow_id)


async def collect(look: SlowLook, count: int, at_once: int, seen: list[tuple[int, Sighting]]) -> None:
    async for found in Verifier(look, at_once=at_once).sightings(given_flows(count)):
        seen += found


@given(
    st.integers(0, 30),
    st.integers(1, 8),
    st.lists(st.sampled_from([0.1, 0.5, 3.0]), min_size=1, max_size=5),
)
def test_each_flow_is_found_once_with_its_own_key_and_never_too_many_at_once(
    count: int, at_once: int, seconds: list[float]
) -> None:
    look, seen = SlowLook(seconds), list[tuple[int, Sighting]]()
    run_virtual(collect(look, count, at_once, seen))
    assert sorted(seen) == [(number, There(str(number))) for number in range(count)]
    assert look.most_at_once == min(at_once, count)


def test_trouble_with_every_call_ends_it_after_what_was_found_and_calls_no_more() -> None:
    look, seen = SlowLook([1.0, 1.0, 1.0, 9.0], bad=2), list[tuple[int, Sighting]]()
    with pytest.raises(OutageError):
        run_virtual(collect(look, 10, 4, seen))
    assert sorted(key for key, _ in seen) == [0, 1]
    assert (look.at_once, look.cancelled) == (0, 1)
