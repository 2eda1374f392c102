"""An account's lane: what enters it is called, what fails stops it."""

from collections.abc import Sequence

import pytest

from flowreaper.errors import CheckpointError
from flowreaper.events import SilentLog
from flowreaper.job.checkpoint_state import Before
from flowreaper.job.lane import Lane, build_lane
from flowreaper.job.settings import Settings
from flowreaper.limiter.limiter import RateLimiter
from flowreaper.limiter.sliding_window import Pace
from flowreaper.model import Ending, Flow, State
from tests.job.memory import SETTINGS, Client, Store
from tests.samples import entries
from tests.virtual import run_virtual


def run(store: Store, client: Client, settings: Settings = SETTINGS, left: Sequence[int] = ()) -> Lane:
    """Run a lane over the store's rows to its end."""

    async def scenario() -> Lane:
        lane = build_lane(
            settings,
            store=store,
            client=client,
            limiter=RateLimiter(Pace(settings.rate)),
            log=SilentLog(),
            before=Before(left_claimed=left),
        )
        await lane.sink.add(entries("1", "2", "3"))
        lane.workers.flows_added()
        lane.workers.reading_ended()
        await lane.workers.run()
        return lane

    return run_virtual(scenario())


def test_flows_that_enter_through_the_sink_are_called_and_recorded() -> None:
    client = Client()
    lane = run(Store(), client)
    assert client.sent == ["1", "2", "3"]
    assert (lane.workers.ending, lane.sink.recorded) == (Ending.FINISHED, {State.DELETED: 3})


def test_what_a_crash_left_claimed_is_called_first() -> None:
    store, client = Store(), Client()
    store.rows, store.claimed = [Flow("0")], 1
    run(store, client, left=[0])
    assert client.sent[0] == "0"


def test_the_limit_of_the_settings_bounds_the_lane() -> None:
    client = Client()
    lane = run(Store(), client, Settings(endpoint=SETTINGS.endpoint, rate=10.0, limit=2))
    assert client.sent == ["1", "2"]
    assert lane.workers.ending is Ending.LIMIT


def test_an_outcome_that_cannot_be_recorded_stops_the_lane() -> None:
    store = Store()
    store.broken = True
    lane = run(store, Client())
    assert lane.workers.ending is Ending.STOPPED
    assert isinstance(lane.workers.error, CheckpointError)


def test_the_first_failure_is_the_lanes_error() -> None:
    async def scenario() -> Lane:
        lane = build_lane(
            SETTINGS,
            store=Store(),
            client=Client(),
            limiter=RateLimiter(Pace(10.0)),
            log=SilentLog(),
        )
        lane.fail(CheckpointError("the first"))
        lane.fail(CheckpointError("the second"))
        return lane

    lane = run_virtual(scenario())
    with pytest.raises(CheckpointError, match="the first"):
        raise lane.workers.error or AssertionError
