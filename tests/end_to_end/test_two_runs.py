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
        told = [process.communicate(timeout=60)[1] for process in (one, other)]
        assert [one.returncode, other.returncode] == [0, 0]
    assert all(text.count("pace.shared_with_another_run_on_this_machine") == 1 for text in told)
    codes = [call["code"] for call in service.ledger()]
    assert codes == ["OK"] * 80
