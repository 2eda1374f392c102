"""The turns that the runs of one account take on one machine: one small file, under a lock of the kernel.

Without it each run would keep the account's whole pace, and together they would be throttled. Between
machines nothing is shared: there the pace is learned from the service (`flowreaper.limiter.pace`).

Trouble with the file never makes the runs faster than the pace:

- A call leaves only while its permit is fresh (`flowreaper.limiter.fair_share.SHELF_LIFE_S`): shortly after its run held the lock
  of the file that still had its name then. So a run that was suspended asks anew, also one that held the lock.
- A file that does not know the account is closed for `settle_s` where other runs are alive, or its run used another
  one before: it may have taken the place of one that was removed. Whatever that one allowed is over by then, and the runs that used it have come along.
- A run that cannot lock, read or write the file signals that in the kernel (`flowreaper.limiter.peers`). Until the signal is
  gone, each run takes no more than its part of the turns, whether it can use the file or not, and the one that cannot
  begins when all others must have seen its signal. Where the system has no such signals, that part is nothing.
"""

import contextlib
import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from flowreaper.limiter.fair_share import (
    Account,
    Peer,
    Permits,
    is_alive,
    json_of,
    part_wait_s,
    read,
    settle_s,
    turn_wait_s,
)
from flowreaper.limiter.pace import BATCHES_PER_S
from flowreaper.limiter.peers import Peers, Trouble
from flowreaper.limiter.shared_file import SharedFile

_NAME = "turns.json"
_NEVER = -1.0
_LONGEST_WAIT_S = 1.0  # who waits looks so often, for the others to know that it is there
_BUSY_S = 0.001
_PATIENCE_S = (
    0.5  # the lock is held for well under a millisecond: a process that holds it longer is suspended
)
_AGAIN_S = 1.0  # a file that could not be used is tried again after this
_LOOK_S = 0.3  # a run that has its part alone looks so often who else is there: well within the shelf life
_FULL_S = 0.02  # who may not begin until a call of another run has left looks so often


def turns_folder() -> Path:
    """Return this user's folder for turns.

    One for all sessions and cron, so no environment variable counts. In memory where the system has such a
    place: on a disk, a write may wait for the checkpoint's syncs, and the call with it.
    """
    memory = Path("/dev/shm")  # noqa: S108 -- `SharedPace` makes sure whose folder it is
    return (memory if memory.is_dir() else Path("/tmp")) / f"flowreaper-{os.geteuid()}"  # noqa: S108 -- as above


def account_of(endpoint: str, access_key_id: str) -> str:
    """Return a name for an account's pace that does not tell its key."""
    return hashlib.sha256(f"{endpoint} {access_key_id}".encode()).hexdigest()[:16]


class Turn(NamedTuple):
    """The answer to who wants to send: after how many seconds to ask again, 0 for now.

    `number` counts the turns of all runs, `at` is the time of this one; None where they cannot be counted.
    """

    wait_s: float
    number: int | None = None
    at: float | None = None


class SharedPace:
    """The file `turns.json` in `folder`, from `__enter__` to `__exit__`, and one run's place in it.

    It holds, for each account, the runs of the last minute. Times are of the machine's monotonic clock, which all
    processes share. `met` is called once, when another run of the account is at work; `failed` when the file cannot
    be used, and `works` when it can be used again.
    """

    def __init__(
        self,
        folder: Path,
        account: str,
        peers: Peers,
        *,
        failed: Callable[[OSError], None],
        works: Callable[[], object],
        met: Callable[[], object],
    ) -> None:
        self._file = SharedFile(folder / _NAME)
        self._account = account
        self._trouble = Trouble(peers)
        self._failed = failed
        self._works = works
        self._met = met
        self._has_met = False
        self._name = os.urandom(8).hex()
        self._began_at: float | None = None
        self._busy_since: float | None = None
        self._sent_at = _NEVER
        self._settle_s = settle_s(1.0)
        self._permits = Permits()
        self._unwritten: list[float] = []

    def __enter__(self) -> Self:
        """Return this; the file is opened when it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._trouble.again_at = None

    @property
    def alone(self) -> bool:
        """Whether the file cannot be used now. `stay` finds out when it can be."""
        return self._trouble.again_at is not None

    def is_fresh(self, turn_at: float, now: float) -> bool:
        """Return whether the calls of the turn of this time may leave now."""
        return self._permits.is_fresh(turn_at, now)

    def take(self, clock: Callable[[], float], interval_s: float, widening_s: float) -> Turn:
        """Take a turn, or say how long to wait before asking again.

        The gap and its stretch are this run's own (`flowreaper.limiter.pace.Pace`). Who has taken a turn with a time
        calls `left` in the end.
        """
        turn = self._look(clock, interval_s, widening_s, wanted=True)
        if turn is None:
            return Turn(_BUSY_S)
        if turn.at is not None:
            self._permits.leaving.append(turn.at)
        return turn

    def stay(self, clock: Callable[[], float], interval_s: float, widening_s: float) -> None:
        """Let the others know that this run is there, and that calls of its turns may leave at any moment."""
        if self._file.is_open or self.alone:  # and not ended
            self._look(clock, interval_s, widening_s, wanted=False)

    def left(self, clock: Callable[[], float], turn_at: float, at: float) -> None:
        """Take note that the last call of the turn of this time left at another, or never will."""
        if self._permits.leave(turn_at, at):
            self._unwritten.append(at)
        # What is wrong with the file, the next look finds; it takes along, too, what could not be written now.
        if self._file.is_open:
            with contextlib.suppress(OSError), self._locked(clock):
                pass

    def _look(
        self, clock: Callable[[], float], interval_s: float, widening_s: float, *, wanted: bool
    ) -> Turn | None:
        """Look at what all share, and take a turn if one is `wanted` and free; None: the lock is held just now."""
        self._settle_s = settle_s(interval_s)
        if self._trouble.again_at is None or clock() >= self._trouble.again_at:
            try:
                with self._locked(clock) as (account, now):
                    mine = Peer(now, self._sent_at, interval_s, widening_s)
                    turn, may_leave = self._shared(account, mine, wanted=wanted)
            except BlockingIOError:
                now = clock()
                if self._busy_since is None:
                    self._busy_since = now
                if not self.alone and now < self._busy_since + _PATIENCE_S:
                    return None
                self._lose(now, self._file.held())
            except OSError as error:
                self._file.close()
                self._lose(clock(), error)
            else:
                self._find()
                if may_leave:
                    self._permits.renew(now)
                return turn
        return self._by_itself(Peer(clock(), self._sent_at, interval_s, widening_s), wanted=wanted)

    def _shared(self, account: Account, mine: Peer, *, wanted: bool) -> tuple[Turn, bool]:
        """Return a turn of the file, or the wait for it, and whether what was taken earlier may still leave."""
        now, permits = mine.seen_at, self._permits
        permits.look(now)
        others = {
            name: run for name, run in account.runs.items() if name != self._name and is_alive(run, now)
        }
        leaving = len(permits.leaving) + sum(len(account.leaving.get(name, ())) for name in others)
        self._notice(list(others.values()), now)
        wait_s = turn_wait_s(mine, list(others.values()), account.left, leaving)
        wait_s = max(wait_s, account.closed_until - now)
        number = account.turns
        # After the clock was read: a signal that is not seen here comes later than what this look allows.
        part = self._trouble.others(mine, self._settle_s)
        if part is not None:
            wait_s = max(wait_s, part_wait_s(mine, part, permits))
            number = 0
        take = wanted and wait_s <= 0
        if take:
            self._sent_at = now
            account.turns += 1
            account.leaving[self._name] = [*permits.leaving, now]
        # Who waits is written down as well: the others give way.
        account.runs[self._name] = mine._replace(sent_at=self._sent_at)
        may_leave = part is None or len(permits.leaving) <= part
        if take:
            return Turn(0.0, number, now), may_leave
        return Turn(_FULL_S if math.isinf(wait_s) else min(wait_s, _LONGEST_WAIT_S)), may_leave

    def _by_itself(self, mine: Peer, *, wanted: bool) -> Turn:
        """Return a turn of this run's own part, or the wait for it."""
        self._permits.look(mine.seen_at)
        part = self._trouble.own(mine)
        wait_s = part_wait_s(mine, part, self._permits)
        if len(self._permits.leaving) <= part:
            self._permits.renew(mine.seen_at)
        if wait_s > 0 or not wanted:
            return Turn(min(wait_s, _LOOK_S))
        self._sent_at = mine.seen_at
        # Of numbered turns some hold a call more than others; number 0 is one of the smaller.
        return Turn(0.0, 0, mine.seen_at)

    @contextlib.contextmanager
    def _locked(self, clock: Callable[[], float]) -> Iterator[tuple[Account, float]]:
        """Hold the lock for a change of what the file holds of this account, at the time that comes with it.

        Raises:
            BlockingIOError: another run holds the lock, or the file is not the one that the others use.
            OSError: the file cannot be read or written.
        """
        with self._file.locked() as (text, write):
            # The clock is read under the lock: what is in the file is never later than that.
            now = clock()
            accounts = read(text, now)
            self._trouble.peers.join()
            account = accounts.get(self._account)
            if account is None:
                account = accounts[self._account] = Account()
                if self._trouble.others_may_be(moved=self._file.has_moved):
                    account.closed_until = now + self._settle_s
            account.left = sorted((*account.left, *self._unwritten))[-BATCHES_PER_S:]
            account.leaving[self._name] = self._permits.leaving
            yield account, now
            write(json_of(accounts))
        self._unwritten.clear()

    def _notice(self, others: Sequence[Peer], now: float) -> None:
        if self._began_at is None:
            self._began_at = now
        # One that was last seen before that may have ended.
        if not self._has_met and any(other.seen_at > self._began_at for other in others):
            self._has_met = True
            self._met()

    def _lose(self, now: float, error: OSError) -> None:
        if self._trouble.begins(now + _AGAIN_S):
            self._failed(error)

    def _find(self) -> None:
        # What this run sent meanwhile is in the file before the others use their whole pace again.
        self._busy_since = None
        if self._trouble.ends():
            self._works()
