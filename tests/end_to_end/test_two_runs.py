"""Two runs of one account at the same time, on one machine."""

from collections.abc import Callable

from tests.end_to_end.command import Command, Service

Ids = Callable[[int], list[str]]
Begin = Callable[..., tuple[Service, Command]]


def test_two_runs_share_the_pace_and_are_not_throttled(begin: Begin, ids: Ids) -> None:
    # Each alone keeps 20/s; both at that pace would be refused a quarter of their calls.
    service, command = begin("--window", "sliding", "--rate", "30")
    options = ("delete", "--yes", "--rate", "20")
    command.write("one.txt", *ids(40))
    command.write("other.txt", *ids(40))
    with (
        command.flowreaper(*options, "one.txt") as one,
        command.flowreaper(*options, "other.txt") as other,
    ):
        assert [one.wait(60), other.wait(60)] == [0, 0]
    codes = [call["code"] for call in service.ledger()]
    assert codes == ["OK"] * 80
