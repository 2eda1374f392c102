"""The turns that the runs of one account take on one machine: one small file, under a lock of the kernel.

Without it each run would keep the account's whole pace, and together they would be throttled. Between
machines nothing is shared: there the pace is learned from the service (`flowreaper.pacing`).
"""

import fcntl
import hashlib
import json
import math
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from flowreaper.pacing import MOST_STRETCH_S, Sharer, turn_wait_s

_SIZE_LIMIT = 64 * 1024
_FORGET_S = 60.0
_NEVER = -1.0
_BUSY_S = 0.001
_PATIENCE_S = 0.5
# The lock is held for some 20 microseconds. Who holds it for longer was stopped in the middle of it.


def turns_folder() -> Path:
    """Return this user's folder for turns.

    One for all sessions and cron, so no environment variable counts; not of the home folder, which may be on
    a network.
    """
    return Path(f"/tmp/flowreaper-{os.geteuid()}")  # noqa: S108 -- `Turns` makes sure whose it is


def account_of(endpoint: str, access_key_id: str) -> str:
    """Return a name for an account's pace that does not tell its key."""
    return hashlib.sha256(f"{endpoint} {access_key_id}".encode()).hexdigest()[:16]


class Turns:
    """The file `turns.json` in `folder`, from `__enter__` to `__exit__`, and one run's place in it.

    It holds, for each account, the runs that were seen within the last minute. The folder is made
    with mode 0700, and must be this user's alone. Times are of the machine's monotonic clock, which all
    processes share. Where it cannot be used, `failed` is called once, and every turn is free from then on.
    `met` is called once, when another run of the account is at work.
    """

    def __init__(
        self, folder: Path, account: str, *, failed: Callable[[OSError], None], met: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._account = account
        self._failed = failed
        self._met = met
        self._has_met = False
        self._began_at: float | None = None
        self._name = os.urandom(8).hex()
        self._fd: int | None = None
        self._sent_at = _NEVER
        self._busy_since: float | None = None

    def __enter__(self) -> Self:
        """Open the file, or make it."""
        try:
            self._fd = self._open()
        except OSError as error:
            self._failed(error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def take(self, now: float, even_gap_s: float, stretch_s: float) -> float:
        """Take a turn and return 0, or return how many seconds to wait before asking again.

        The gap and its stretch are this run's own (`flowreaper.pacing.Pace`).
        """
        if self._fd is None:
            return 0.0
        try:
            if os.fstat(self._fd).st_nlink == 0:
                # Somebody cleaned up: the others will make a new one.
                os.close(self._fd)
                self._fd = None
                self._fd = self._open()
            return self._take_locked(self._fd, Sharer(now, self._sent_at, even_gap_s, stretch_s))
        except OSError as error:
            self.__exit__(None, None, None)
            self._failed(error)
            return 0.0

    def _take_locked(self, fd: int, mine: Sharer) -> float:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._busy_since is None:
                self._busy_since = mine.seen_at
            return _BUSY_S if mine.seen_at - self._busy_since < _PATIENCE_S else 0.0
        self._busy_since = None
        try:
            return self._take(fd, mine)
        finally:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _take(self, fd: int, mine: Sharer) -> float:
        now = mine.seen_at
        accounts = _read(os.pread(fd, _SIZE_LIMIT, 0), now)
        runs = accounts.setdefault(self._account, {})
        others = [runs[name] for name in runs if name != self._name]
        self._look_for_others(others, now)
        wait_s = turn_wait_s(mine, others)
        if wait_s <= 0:
            self._sent_at = now
        # Who waits is written down as well: the others give way.
        runs[self._name] = mine._replace(sent_at=self._sent_at)
        text = json.dumps(accounts).encode()
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))
        return max(wait_s, 0.0)

    def _look_for_others(self, others: Sequence[Sharer], now: float) -> None:
        if self._began_at is None:
            self._began_at = now
        # One that was last seen before that may have ended.
        if not self._has_met and any(other.seen_at > self._began_at for other in others):
            self._has_met = True
            self._met()

    def _open(self) -> int:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # Others can make a folder of this name first, where everybody may write.
        found = self._folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise PermissionError(1, "it is not this user's alone", str(self._folder))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._folder / "turns.json", flags, 0o600)


def _read(text: bytes, now: float) -> dict[str, dict[str, Sharer]]:
    """Return the runs that were seen lately, by account and name; what makes no sense is left out.

    A process that is killed may leave half a file.
    """
    try:
        accounts = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found: dict[str, dict[str, Sharer]] = {}
    for account, runs in _items(accounts):
        for name, value in _items(runs):
            run = _sharer(value)
            if run and run.sent_at <= run.seen_at <= now < run.seen_at + _FORGET_S:
                found.setdefault(account, {})[name] = run
    return found


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, Mapping) else []


def _sharer(value: object) -> Sharer | None:
    if not isinstance(value, list) or len(value) != len(Sharer._fields):
        return None
    if not all(isinstance(number, float) and math.isfinite(number) for number in value):
        return None
    run = Sharer(*value)
    return run if run.even_gap_s > 0 and 0 <= run.stretch_s <= MOST_STRETCH_S else None
