"""The pace that the runs of one user share on one machine: a small file, under a lock of the kernel.

Without it each run would use the account's whole rate, and together they would be throttled. Runs on other machines
share nothing with these: they learn from throttled calls how much is left for them (`flowreaper.limiter.adaptive`).

Trouble with the file never makes the runs faster than the rate:

- A call is sent only while its slot is fresh (`flowreaper.limiter.fair_share.SHELF_LIFE_S`): shortly after its run held
  the lock of the file that had the name at that time. So a run that was suspended asks for another slot, even if it was
  suspended while it held the lock.
- A file that does not know the account may have replaced one that was removed. If other runs are alive, or this run
  used another file before, nobody reserves a slot of it for `settle_s`: by then all calls that the old file allowed are
  over, and the runs that used it have found the new one.
- A run that cannot lock, read or write the file signals that in the kernel (`flowreaper.limiter.peers`). Until the
  signal ends, every run uses no more than its fair share of the slots, whether it can use the file or not, and the run
  in trouble begins once all others must have seen its signal. Where the system has no such signals (macOS), its share
  is 0. A run without others has a share of the whole rate.

Runs that cannot see each other so (other machines and users, containers, the temporary keys of a role) do not share it.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from flowreaper.limiter.fair_share import (
    LONGEST_WAIT_S,
    LOOK_ALONE_S,
    OwnSlots,
    Peer,
    SharedState,
    is_alive,
    json_of,
    longer,
    read,
    settle_s,
    share_wait_s,
    slot_wait_s,
)
from flowreaper.limiter.locked_file import LockedFile
from flowreaper.limiter.peers import Peers, Trouble
from flowreaper.limiter.shared_pace import Slot
from flowreaper.limiter.sliding_window import BATCHES_PER_S, BLOCKED

_NAME = "turns.json"  # runs of other versions use it too
_NEVER = -1.0
_BUSY_S = 0.001  # retry interval while another process holds the lock
_PATIENCE_S = 0.5  # a lock is normally held for < 1 ms; held for longer than this, its holder is suspended
_RETRY_S = 1.0  # retry interval for a file that cannot be used
_FULL_S = 0.02  # retry interval while unsent calls take all slots


def shared_folder() -> Path:
    """Return this user's folder for the shared file.

    It is the same for all sessions and cron, so it depends on no environment variable. It is in memory where the system
    has such a place: on a disk, a write may wait for the checkpoint's fsync, and delay a call.
    """
    memory = Path("/dev/shm")  # noqa: S108 -- `LockedFile` makes sure whose folder it is
    return (memory if memory.is_dir() else Path("/tmp")) / f"flowreaper-{os.geteuid()}"  # noqa: S108 -- as above


def account_of(endpoint: str, account: str, operation: str = "") -> str:
    """Return a name for an account at an endpoint, and one of its operations, empty for DeleteFlow.

    `account` is its number or one of its access key ids, which the name does not reveal.
    """
    named = f"{endpoint} {account} {operation}" if operation else f"{endpoint} {account}"
    return hashlib.sha256(named.encode()).hexdigest()[:16]


class FileSharedPace:
    """A `SharedPace` in the file `turns.json` of a folder.

    The file holds, for each account, the runs of the last minute. `clock` is the machine's monotonic clock, which all
    processes share. `met` is called once, when another run of the account is at work; `failed` when the file cannot be
    used, and `works` when it can be used again. The file is opened at its first use.
    """

    def __init__(
        self,
        folder: Path,
        account: str,
        peers: Peers,
        clock: Callable[[], float],
        *,
        failed: Callable[[OSError], None],
        works: Callable[[], object],
        met: Callable[[], object],
    ) -> None:
        self._file = LockedFile(folder / _NAME)
        self._account = account
        self._clock = clock
        self._trouble = Trouble(peers)
        self._failed = failed
        self._works = works
        self._met = met
        self._has_met = False
        self._name = os.urandom(8).hex()
        self._began_at: float | None = None
        self._busy_since: float | None = None
        self._reserved_at = _NEVER
        self._settle_s = settle_s(1.0)
        self._own = OwnSlots()
        self._unwritten: list[float] = []

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and look for it no more."""
        self._file.close()
        self._trouble.retry_at = None

    @property
    def is_lost(self) -> bool:
        """Whether the file cannot be used now; `heartbeat` finds out when it can be again."""
        return self._trouble.retry_at is not None

    def is_fresh(self, slot_time: float) -> bool:
        """Return whether the calls of the slot of this time may be sent now; if not, they need another slot."""
        return self._own.is_fresh(slot_time, self._clock())

    def reserve(self, interval_s: float, widening_s: float) -> Slot:
        """Reserve a slot now, or return how long to wait before asking again.

        Who has reserved a slot with a time calls `sent` in the end.
        """
        slot = self._look(interval_s, widening_s, wanted=True)
        if slot is None:
            return Slot(_BUSY_S)
        if slot.time is not None:
            self._own.unsent.append(slot.time)
        return slot

    def heartbeat(self, interval_s: float, widening_s: float) -> None:
        """Let the others know that this run is alive, and that calls of its slots may be sent at any moment."""
        if self._file.is_open or self.is_lost:  # and not closed
            self._look(interval_s, widening_s, wanted=False)

    def sent(self, slot_time: float, at: float) -> None:
        """Record when the last call of the slot of this time was sent, or that it never will be."""
        if self._own.mark_sent(slot_time, at):
            self._unwritten.append(at)
        # Errors are reported by the next look, which also writes what could not be written now.
        if self._file.is_open:
            with contextlib.suppress(OSError), self._locked():
                pass

    def _look(self, interval_s: float, widening_s: float, *, wanted: bool) -> Slot | None:
        """Read and update the shared state; reserve a slot if one is `wanted` and free. None: the lock is held now."""
        self._settle_s = settle_s(interval_s)
        if self._trouble.retry_at is None or self._clock() >= self._trouble.retry_at:
            try:
                with self._locked() as (state, now):
                    mine = Peer(now, self._reserved_at, interval_s, widening_s)
                    slot, may_send = self._slot_of(state, mine, wanted=wanted)
            except BlockingIOError:
                now = self._clock()
                if self._busy_since is None:
                    self._busy_since = now
                if not self.is_lost and now < self._busy_since + _PATIENCE_S:
                    return None
                self._lose(now, self._file.held())
            except OSError as error:
                self._file.close()
                self._lose(self._clock(), error)
            else:
                self._find()
                if may_send:
                    self._own.renew(now)
                return slot
        return self._slot_alone(Peer(self._clock(), self._reserved_at, interval_s, widening_s), wanted=wanted)

    def _slot_of(self, state: SharedState, mine: Peer, *, wanted: bool) -> tuple[Slot, bool]:
        """Return a slot of the shared state, or a wait, and whether slots reserved earlier may still be used."""
        now, own = mine.seen_at, self._own
        own.expire(now)
        others = {name: run for name, run in state.runs.items() if name != self._name and is_alive(run, now)}
        unsent = len(own.unsent) + sum(len(state.unsent.get(name, ())) for name in others)
        self._notice(list(others.values()), now)
        wait_s = longer(
            slot_wait_s(mine, list(others.values()), state.sent, unsent), state.closed_until - now
        )
        index = state.slots
        # Peers are asked after the clock was read: a signal that is missed here came later than what this look allows.
        share = self._trouble.share_beside_others(mine, self._settle_s)
        if share is not None:
            wait_s = longer(wait_s, share_wait_s(mine, share, own))
            index = 0
        is_free = wait_s is not BLOCKED and wait_s <= 0
        if wanted and is_free:
            self._reserved_at = now
            state.slots += 1
            state.unsent[self._name] = [*own.unsent, now]
        # Waiting runs are recorded too, so that the others let them go first.
        state.runs[self._name] = mine._replace(reserved_at=self._reserved_at)
        may_send = share is None or len(own.unsent) <= share
        if wanted and is_free:
            return Slot(0.0, index, now), may_send
        return Slot(_FULL_S if wait_s is BLOCKED else min(wait_s, LONGEST_WAIT_S)), may_send

    def _slot_alone(self, mine: Peer, *, wanted: bool) -> Slot:
        """Return a slot of this run's own share, or a wait, while the file cannot be used."""
        self._own.expire(mine.seen_at)
        share = self._trouble.share_alone(mine)
        wait_s = share_wait_s(mine, share, self._own)
        if len(self._own.unsent) <= share:
            self._own.renew(mine.seen_at)
        if wait_s is BLOCKED:
            return Slot(LOOK_ALONE_S)
        if wait_s > 0 or not wanted:
            return Slot(min(wait_s, LOOK_ALONE_S))
        self._reserved_at = mine.seen_at
        # At uneven rates some slots hold a call more than others; slot 0 is one of the smaller.
        return Slot(0.0, 0, mine.seen_at)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[tuple[SharedState, float]]:
        """Hold the lock for a change of this account's state; give the state and the time.

        Raises:
            BlockingIOError: another run holds the lock, or the file is not the one that the others use.
            OSError: the file cannot be read or written.
        """
        with self._file.locked() as (text, write):
            # The clock is read under the lock, so no time in the file is later than this one.
            now = self._clock()
            states = read(text, now)
            self._trouble.peers.join()
            state = states.get(self._account)
            if state is None:
                state = states[self._account] = SharedState()
                if self._trouble.others_may_be(moved=self._file.has_moved):
                    state.closed_until = now + self._settle_s
            state.sent = sorted((*state.sent, *self._unwritten))[-BATCHES_PER_S:]
            state.unsent[self._name] = self._own.unsent
            yield state, now
            write(json_of(states))
        self._unwritten.clear()

    def _notice(self, others: Sequence[Peer], now: float) -> None:
        if self._began_at is None:
            self._began_at = now
        # A run that was last seen before this one began may have ended.
        if not self._has_met and any(other.seen_at > self._began_at for other in others):
            self._has_met = True
            self._met()

    def _lose(self, now: float, error: OSError) -> None:
        if self._trouble.begins(now + _RETRY_S):
            self._failed(error)

    def _find(self) -> None:
        # What this run sent meanwhile is in the file by now, before the others use the whole rate again.
        self._busy_since = None
        if self._trouble.ends():
            self._works()
