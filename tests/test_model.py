"""Secrets that do not show, and the few things that the values know of themselves."""

import dataclasses
import logging
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.model import FAILED, FINAL, UNFINISHED, Credentials, State

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SECRET = "hidden-secret"
TOKEN = "hidden-token"
CREDENTIALS = Credentials("LTAI5tExampleExampleKey1", SECRET, TOKEN, 1_700_000_000.0)
MASKED = "Credentials(LTAI****Key1)"


@pytest.mark.parametrize(
    "shown",
    [
        repr(CREDENTIALS),
        str(CREDENTIALS),
        f"{CREDENTIALS}",
        f"{CREDENTIALS!r:>10}",
        format(CREDENTIALS),
        "%s" % (CREDENTIALS,),  # noqa: UP031 -- logging formats so
        repr([CREDENTIALS]),
        repr({"credentials": CREDENTIALS}),
        repr(dataclasses.replace(CREDENTIALS)),
        repr(ValueError(CREDENTIALS)),
    ],
)
def test_credentials_show_only_the_masked_key(shown: str) -> None:
    assert MASKED in shown
    assert "hidden" not in shown
    assert "Example" not in shown


def test_credentials_in_a_log_record_show_only_the_masked_key(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("with %s and %r", CREDENTIALS, {"key": CREDENTIALS})
    assert caplog.messages == [f"with {MASKED} and {{'key': {MASKED}}}"]


def _fail_with(credentials: Credentials) -> None:
    raise ValueError(credentials)


def test_credentials_in_a_traceback_with_locals_show_only_the_masked_key() -> None:
    with pytest.raises(ValueError, match="LTAI") as caught:
        _fail_with(CREDENTIALS)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(stack.format())
    assert f"credentials = {MASKED}" in text
    assert SECRET not in text
    assert TOKEN not in text


def test_credentials_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CREDENTIALS.access_key_secret = "other"  # type: ignore[misc]  # the test is that this fails


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("LTAI5tExampleExampleKey1", "LTAI****Key1"),
        ("STS.NTExampleExample", "STS.****mple"),
        ("1234567890123", "1234****0123"),
        ("123456789012", "12****"),
        ("12345678", "12****"),
        ("123", "12****"),
        ("", "****"),
    ],
)
def test_masked_id_shows_the_ends_of_a_long_key_and_the_start_of_a_short_one(key: str, masked: str) -> None:
    assert Credentials(key, "s").masked_id == masked


@unhurried
@given(st.text(min_size=4))
def test_masked_id_never_shows_a_key_whole(key: str) -> None:
    shown = Credentials(key, "s").masked_id.replace("****", "", 1)
    assert len(shown) <= 8
    assert len(shown) < len(key)


def test_final_states_are_all_but_pending_and_claimed() -> None:
    assert {s for s in State if not s.final} == {State.PENDING, State.CLAIMED}


def test_every_state_is_unfinished_or_final_and_what_failed_is_final() -> None:
    assert sorted((*UNFINISHED, *FINAL)) == sorted(State)
    assert set(FINAL) - set(FAILED) == {State.DELETED, State.ABSENT, State.KEPT}
