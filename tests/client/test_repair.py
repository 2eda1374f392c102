"""Renewing credentials and following the service's clock, once for all calls that meet the trouble."""

import asyncio
from typing import Any

import pytest

from flowreaper.client.repair import Repair
from flowreaper.errors import CredentialsError, FatalReplyError, RunError
from flowreaper.model import Reply, ReplyClass
from tests.virtual import run_virtual

STALE = Reply(400, "InvalidSecurityToken.Expired", "expired", "R-1")
SKEWED = Reply(400, "InvalidTimeStamp.Expired", "clock", "R-2", date="Tue, 24 Nov 2026 06:00:00 GMT")


class Signer:
    """Takes a second to renew credentials, and follows a clock if `clock_differs`."""

    def __init__(self, *, clock_differs: bool = True) -> None:
        self.renewals = 0
        self.dates: list[str] = []
        self.failure: RunError | None = None
        self._clock_differs = clock_differs

    async def renew_credentials(self) -> None:
        await asyncio.sleep(1)
        self.renewals += 1
        if self.failure:
            raise self.failure

    def correct_clock(self, date: str) -> bool:
        self.dates.append(date)
        return self._clock_differs


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def is_enabled_for(self, level: int) -> bool:  # noqa: ARG002 -- the Protocol's signature
        return True

    def debug(self, event: str, **fields: Any) -> None: ...

    def info(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


def renew(repair: Repair, generation: int) -> RunError | None:
    return run_virtual(repair.attempt(ReplyClass.RENEW, STALE, generation))


def follow_clock(repair: Repair, generation: int) -> RunError | None:
    return run_virtual(repair.attempt(ReplyClass.CLOCK, SKEWED, generation))


def test_credentials_are_renewed_and_calls_belong_to_a_new_generation() -> None:
    signer, log = Signer(), Log()
    repair = Repair(signer, log)
    assert renew(repair, 0) is None
    assert (signer.renewals, repair.credentials_generation) == (1, 1)
    assert log.events == [("credentials.renewing", {"code": STALE.code})]


def test_the_clock_follows_the_service_s_date() -> None:
    signer, log = Signer(), Log()
    repair = Repair(signer, log)
    assert follow_clock(repair, 0) is None
    assert (signer.dates, repair.credentials_generation) == ([SKEWED.date], 1)
    assert log.events == [("clock.corrected", {"service_date": SKEWED.date})]


def test_calls_that_meet_it_while_it_is_repaired_change_nothing() -> None:
    signer = Signer()
    repair = Repair(signer, Log())

    async def together() -> list[RunError | None]:
        return await asyncio.gather(*(repair.attempt(ReplyClass.RENEW, STALE, 0) for _ in range(5)))

    assert run_virtual(together()) == [None] * 5
    assert signer.renewals == 1


def test_a_call_made_before_the_repair_says_nothing_about_it() -> None:
    signer = Signer()
    repair = Repair(signer, Log())
    renew(repair, 0)
    assert renew(repair, 0) is None
    assert signer.renewals == 1


def test_trouble_that_comes_back_before_any_call_succeeded_stops_the_run() -> None:
    signer = Signer()
    repair = Repair(signer, Log())
    renew(repair, 0)
    error = renew(repair, 1)
    assert isinstance(error, FatalReplyError)
    assert STALE.code in str(error)
    assert signer.renewals == 1


def test_after_a_success_the_same_trouble_may_be_repaired_again() -> None:
    signer = Signer()
    repair = Repair(signer, Log())
    renew(repair, 0)
    repair.record_success()
    assert renew(repair, 1) is None
    assert signer.renewals == 2


def test_credentials_and_clock_are_repaired_independently() -> None:
    repair = Repair(Signer(), Log())
    assert renew(repair, 0) is None
    assert follow_clock(repair, 1) is None
    assert isinstance(follow_clock(repair, 2), FatalReplyError)


def test_a_date_that_changes_nothing_stops_the_run() -> None:
    log = Log()
    repair = Repair(Signer(clock_differs=False), log)
    error = follow_clock(repair, 0)
    assert isinstance(error, FatalReplyError)
    assert "set this machine's clock" in str(error)
    assert log.events == []


def test_credentials_that_cannot_be_fetched_stop_the_run_with_their_own_error() -> None:
    signer = Signer()
    signer.failure = CredentialsError("none")
    assert renew(Repair(signer, Log()), 0) is signer.failure


def test_a_defect_is_not_hidden_and_leaves_no_repair_under_way() -> None:
    class Broken(Signer):
        async def renew_credentials(self) -> None:
            raise ZeroDivisionError

    repair = Repair(Broken(), Log())
    with pytest.raises(ZeroDivisionError):
        renew(repair, 0)
    assert follow_clock(repair, repair.credentials_generation) is None
