"""Runs know of each other without a file, for as long as they live."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from flowreaper.limiter.fair_share import Census
from flowreaper.limiter.peers import MOST, Peers
from tests.end_to_end.command import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract sockets")

_numbers = count()
_JOIN = (
    "import sys; from flowreaper.limiter.peers import Peers\n"
    "peers = Peers(sys.argv[1]); peers.join(); peers.signal(); print(flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def account() -> str:
    return f"test-{os.getpid()}-{next(_numbers)}"


@contextlib.contextmanager
def joined(account: str, number: int) -> Iterator[list[Peers]]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(Peers(account)) for _ in range(number)]
        for peers in found:
            peers.join()
        yield found


def test_each_run_has_a_place_among_those_that_are_alive(account: str) -> None:
    with joined(account, 3) as (first, second, third), joined(f"{account}-other", 1) as (stranger,):
        assert [run.census() for run in (first, second, third)] == [Census(n, 3) for n in range(3)]
        assert stranger.census() == Census(0, 1)
        second.close()
        assert [run.census() for run in (first, third)] == [Census(0, 2), Census(1, 2)]
        with joined(account, 1) as (late,):
            assert [run.census() for run in (first, late, third)] == [Census(n, 3) for n in range(3)]


def test_to_join_again_changes_nothing(account: str) -> None:
    with joined(account, 1) as (run,):
        run.join()
        assert run.census() == Census(0, 1)


def test_a_run_that_has_not_joined_is_not_known_and_knows_nobody(account: str) -> None:
    with joined(account, 1) as (run,):
        assert Peers(account).census() is None
        assert run.census() == Census(0, 1)


def test_a_signal_is_seen_by_the_others_until_it_ends(account: str) -> None:
    with joined(account, 2) as (one, other):
        for _ in range(2):
            assert not other.others_signal()
            assert one.signal()
            assert one.signal()
            assert [one.others_signal(), other.others_signal()] == [False, True]
            one.end_signal()
            one.end_signal()
        assert not other.others_signal()
        assert one.signal()
        one.close()
        assert not other.others_signal()


def test_more_runs_than_there_are_names_cannot_signal_but_see_the_others(account: str) -> None:
    with joined(account, MOST + 1) as runs:
        assert runs[-1].census() is None
        assert not runs[-1].signal()
        assert runs[0].census() == Census(0, MOST)
        assert runs[0].signal()
        assert runs[-1].others_signal()


def test_a_suspended_process_keeps_its_name_and_a_killed_one_does_not(account: str) -> None:
    words = (sys.executable, "-c", _JOIN, account)
    root = str(Path(__file__).parents[2])
    with (
        joined(account, 1) as (run,),
        subprocess.Popen(
            words, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout
        assert process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        assert run.census() == Census(0, 2)
        assert run.others_signal()
        process.kill()
        wait_for(lambda: run.census() == Census(0, 1))
        assert not run.others_signal()


def test_where_no_socket_can_be_had_nothing_is_known(account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused:
        AF_UNIX = SOCK_DGRAM = 0

        def socket(self, *_: int) -> None:
            raise OSError(errno.EMFILE, "Too many open files")

    with joined(account, 1) as (early,), Peers(account) as late:
        monkeypatch.setattr("flowreaper.limiter.peers.socket", Refused())
        late.join()
        assert [late.census(), late.signal(), late.others_signal()] == [None, False, False]
        # Who joined before has what it needs for a signal.
        assert early.signal()
        early.end_signal()
        assert not early.signal()
        monkeypatch.undo()
        assert early.signal()


def test_where_the_system_has_no_such_names_nothing_is_known(
    account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with joined(account, 2) as (one, other):
        assert [one.census(), one.signal(), other.others_signal()] == [None, False, False]
