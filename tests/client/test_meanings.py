"""What is said of codes and states is true, also where the user has said what a code means."""

import pytest

from flowreaper.client.codes import classify
from flowreaper.client.meanings import BY_CODE, BY_STATE, known_meaning, meaning_of
from flowreaper.model import FAILED, FINAL, Reply, ReplyClass, State


def test_every_state_has_a_meaning_and_outcomes_come_first() -> None:
    assert set(BY_STATE) == set(State)
    assert [state for state in BY_STATE if state.final] == list(BY_STATE)[: len(FINAL)]


@pytest.mark.parametrize("code", ["Forbidden", "Forbidden.RAM", "Forbidden.RAM.Deeper"])
def test_a_code_means_what_its_longest_known_beginning_means(code: str) -> None:
    assert meaning_of(State.REFUSED, code) == BY_CODE["Forbidden"]


@pytest.mark.parametrize("code", ["", "Some.Code", "ForbiddenToo"])
def test_a_code_that_is_not_known_means_what_its_state_means(code: str) -> None:
    assert all(meaning_of(state, code) == BY_STATE[state] for state in FAILED)


@pytest.mark.parametrize("state", [State.REFUSED, State.GAVE_UP])
def test_of_a_final_flow_nobody_says_that_the_run_calls_it_again(state: State) -> None:
    throttling = [code for code in BY_CODE if classify(Reply(400, code)).reply_class is ReplyClass.THROTTLED]
    assert throttling
    for code in (*throttling, "Throttling.User"):
        assert meaning_of(state, code) == BY_STATE[state]
        assert (said := known_meaning(code))  # which it says of a call
        assert "calls the flow again" in said.remedy


def test_a_deletion_was_confirmed_or_is_inferred() -> None:
    assert meaning_of(State.DELETED, "OK", inferred=False).meaning == "the service confirmed the deletion"
    assert "found that the flow is gone" in meaning_of(State.DELETED, "Flow.NotExist").meaning
