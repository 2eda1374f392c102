"""The turns that the runs of one account take on one machine: one small file, under a lock of the kernel.

Without it each run would keep the account's whole pace, and together they would be throttled. Between
machines nothing is shared: there the pace is learned from the service (`flowreaper.pacing`).
"""

import contextlib
import errno
import fcntl
import hashlib
import math
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from flowreaper.pacing import SLICES_PER_S
from flowreaper.sharing import Account, Sharer, is_near, json_of, read, turn_wait_s

_NAME = "turns.json"
_SIZE_LIMIT = 1024 * 1024
_NEVER = -1.0
_LONGEST_WAIT_S = 1.0  # who waits looks so often, for the others to know that it is there
_BUSY_S = 0.001
_PATIENCE_S = (
    0.5  # the lock is held for well under a millisecond: who holds it longer was stopped in the midst
)
_AGAIN_S = 10.0
_FULL_S = 0.02  # who may not begin until a call of another run has left looks so often


def turns_folder() -> Path:
    """Return this user's folder for turns.

    One for all sessions and cron, so no environment variable counts. In memory where the system has such a
    place: on a disk, a write may wait for the checkpoint's syncs, and the call with it.
    """
    memory = Path("/dev/shm")  # noqa: S108 -- `Turns` makes sure whose folder it is
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


class Turns:
    """The file `turns.json` in `folder`, from `__enter__` to `__exit__`, and one run's place in it.

    It holds, for each account, the runs of the last minute. The folder is made with mode 0700, and must be
    this user's alone. Times are of the machine's monotonic clock, which all processes share. `met` is called
    once, when another run of the account is at work; `failed` once, when the file cannot be used: every turn
    is free then, until it can be used again.
    """

    def __init__(
        self, folder: Path, account: str, *, failed: Callable[[OSError], None], met: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._account = account
        self._failed = failed
        self._met = met
        self._has_failed = self._has_met = False
        self._name = os.urandom(8).hex()
        self._fd: int | None = None
        self._open_from = float("-inf")
        self._began_at: float | None = None
        self._busy_since: float | None = None
        self._sent_at = _NEVER
        self._near = 0
        self._leaving: list[float] = []
        self._left: list[float] = []  # and could not be written down yet

    def __enter__(self) -> Self:
        """Return this; the file is opened when it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def take(self, clock: Callable[[], float], even_gap_s: float, stretch_s: float) -> Turn:
        """Take a turn, or say how long to wait before asking again.

        The gap and its stretch are this run's own (`flowreaper.pacing.Pace`). Who has taken a turn with a time
        calls `left` in the end.
        """
        if self._fd is None and clock() < self._open_from:
            return Turn(0.0)
        try:
            with self._locked(self._current(), clock) as (account, now):
                turn = self._take(account, Sharer(now, self._sent_at, even_gap_s, stretch_s))
        except BlockingIOError as error:
            return self._without(clock(), even_gap_s * (1 + stretch_s), error)
        except OSError as error:
            self.__exit__(None, None, None)
            self._open_from = clock() + _AGAIN_S
            self._tell(error)
            return Turn(0.0)
        if turn.at is not None:
            self._leaving.append(turn.at)
        return turn

    def _take(self, account: Account, mine: Sharer) -> Turn:
        now = mine.seen_at
        self._busy_since = None
        others = {name: run for name, run in account.runs.items() if name != self._name and is_near(run, now)}
        leaving = len(self._leaving) + sum(len(account.leaving.get(name, ())) for name in others)
        self._look_at(list(others.values()), now)
        wait_s = turn_wait_s(mine, list(others.values()), account.left, leaving)
        if wait_s <= 0:
            self._sent_at = now
            account.turns += 1
            account.leaving[self._name] = [*self._leaving, now]
        # Who waits is written down as well: the others give way.
        account.runs[self._name] = mine._replace(sent_at=self._sent_at)
        if wait_s <= 0:
            return Turn(0.0, account.turns - 1, now)
        return Turn(_FULL_S if math.isinf(wait_s) else min(wait_s, _LONGEST_WAIT_S))

    def left(self, clock: Callable[[], float], turn_at: float, at: float) -> None:
        """Take note that the last call of the turn of this time left at another, or never will."""
        if turn_at in self._leaving:
            self._leaving.remove(turn_at)
            self._left.append(at)
        self._note(clock)

    def stay(self, clock: Callable[[], float], even_gap_s: float, stretch_s: float) -> None:
        """Let the others know that this run is there, and that calls of its turns may leave at any moment."""
        self._note(clock, even_gap_s, stretch_s)

    def _note(self, clock: Callable[[], float], *pace: float) -> None:
        if self._fd is None:
            return
        # What is wrong with the file, the next turn tells; it takes along, too, what could not be written now.
        with contextlib.suppress(OSError), self._locked(self._fd, clock) as (account, now):
            if pace:
                account.runs[self._name] = Sharer(now, self._sent_at, *pace)

    @contextlib.contextmanager
    def _locked(self, fd: int, clock: Callable[[], float]) -> Iterator[tuple[Account, float]]:
        """Hold the lock for a change of what the file holds of this account, at the time that comes with it.

        Raises:
            BlockingIOError: another run holds the lock.
            OSError: the file cannot be read or written.
        """
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            # The clock is read under the lock: what is in the file is never later than that.
            now = clock()
            text = os.pread(fd, _SIZE_LIMIT, 0)
            accounts = read(text, now)
            account = accounts.setdefault(self._account, Account())
            account.left = sorted((*account.left, *self._left))[-SLICES_PER_S:]
            account.leaving[self._name] = self._leaving
            yield account, now
            _write(fd, json_of(accounts), len(text))
            self._left.clear()
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _without(self, now: float, gap_s: float, error: OSError) -> Turn:
        """Answer while somebody else holds the lock: after a while, as many turns as if all took theirs."""
        if self._busy_since is None:
            self._busy_since = now
        free_at = max(self._busy_since + _PATIENCE_S, self._sent_at + gap_s * (1 + self._near))
        if now < free_at:
            return Turn(_BUSY_S)
        self._tell(error)
        self._sent_at = now
        return Turn(0.0)

    def _look_at(self, others: Sequence[Sharer], now: float) -> None:
        self._near = len(others)
        if self._began_at is None:
            self._began_at = now
        # One that was last seen before that may have ended.
        if not self._has_met and any(other.seen_at > self._began_at for other in others):
            self._has_met = True
            self._met()

    def _tell(self, error: OSError) -> None:
        if not self._has_failed:
            self._has_failed = True
            self._failed(error)

    def _current(self) -> int:
        """Return the descriptor of the file that has the name now: somebody may have cleaned up."""
        path = self._folder / _NAME
        if self._fd is not None:
            mine = os.fstat(self._fd)
            try:
                found = path.lstat()
            except FileNotFoundError:
                found = None
            if found and (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
                return self._fd
            os.close(self._fd)
            self._fd = None
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Others can make a folder of this name first, where everybody may write.
        folder = self._folder.lstat()
        if not stat.S_ISDIR(folder.st_mode) or folder.st_uid != os.geteuid() or folder.st_mode & 0o077:
            raise PermissionError(errno.EPERM, "it is not a folder of this user alone", str(self._folder))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o600)
        return self._fd


def _write(fd: int, text: bytes, over: int) -> None:
    # In one piece over what was there: a process that is killed in the midst leaves the old or the new.
    padded = text.ljust(over)
    if os.pwrite(fd, padded, 0) != len(padded):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if over > 2 * len(text) or over == _SIZE_LIMIT:
        os.ftruncate(fd, len(text))
