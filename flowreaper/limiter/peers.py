"""Which runs of an account are alive on this machine, without a file: each run holds a name in the kernel.

The names are Linux's abstract sockets (unix(7)). They need no folder, are never full or locked, and disappear with
their process, however it ends. A suspended process keeps its name. Each network namespace has its own names. Other
users of the machine can take names too: that slows a run down, and never speeds it up.
"""

import os
import socket
import sys
from types import TracebackType
from typing import Self

from flowreaper.limiter.fair_share import Census, FairShare, Peer

MOST = 16
"""Most runs that can have a name. Further runs share the file, but send nothing while some run cannot use it."""


class Peers:
    """One run's name among the runs of its account, from the first `join` to `close`."""

    def __init__(self, account: str) -> None:
        self._prefix = f"\0flowreaper-{os.geteuid()}-{account}"
        self._number: int | None = None
        self._name: socket.socket | None = None
        self._probe: socket.socket | None = None
        self._signal: socket.socket | None = None
        self._signalling = False

    def __enter__(self) -> Self:
        """Return this; the name is taken by `join`."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the name back, and end the signal."""
        for held in (self._name, self._probe, self._signal):
            if held:
                held.close()
        self._name = self._probe = self._signal = self._number = None
        self._signalling = False

    def join(self) -> None:
        """Take a name, if the system has such names and one is free. Calling it again changes nothing."""
        if self._probe or sys.platform != "linux":
            return
        try:
            # Open all sockets now: when the trouble comes, there may be no free file descriptors.
            self._name, self._signal, self._probe = _socket(), _socket(), _socket()
        except OSError:
            self.close()
            return
        for number in range(MOST):
            if _bind(self._name, self._name_of(number)):
                self._number = number
                return

    def census(self) -> Census | None:
        """Return this run's place among the runs that are alive, suspended ones included; None if it has no name."""
        if self._number is None:
            return None
        alive = [k for k in range(MOST) if k == self._number or self._exists(self._name_of(k))]
        return Census(alive.index(self._number), len(alive))

    def signal(self) -> bool:
        """Let the others know that this run cannot use the file; return whether they can see the signal."""
        self.join()
        if self._number is None or self._signalling:
            return self._signalling
        if self._signal is None:
            self._signal = _socket_or_none()
        if self._signal:
            self._signalling = _bind(self._signal, self._signal_of(self._number))
        return self._signalling

    def end_signal(self) -> None:
        """Let the others know that this run uses the file again."""
        if self._signal and self._signalling:
            # A socket keeps its name until it is closed.
            self._signal.close()
            self._signal = _socket_or_none()
            self._signalling = False

    def others_signal(self) -> bool:
        """Return whether another run cannot use the file."""
        return any(k != self._number and self._exists(self._signal_of(k)) for k in range(MOST))

    def _name_of(self, number: int) -> str:
        return f"{self._prefix}-{number}"

    def _signal_of(self, number: int) -> str:
        return f"{self._prefix}-{number}-alone"

    def _exists(self, name: str) -> bool:
        # The other end of a datagram socket does not notice that one connects.
        return self._probe is not None and self._probe.connect_ex(name) == 0


class Trouble:
    """Whether this run or another cannot use the file, and this run's fair share meanwhile.

    `retry_at` is when this run tries the file again; None if it can use the file.
    """

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self.retry_at: float | None = None
        self._share = FairShare()
        self._others_until = float("-inf")

    def begins(self, retry_at: float) -> bool:
        """Signal that this run cannot use the file, and tries again at `retry_at`; return whether that is new."""
        is_new = self.retry_at is None
        self.retry_at = retry_at
        if is_new:
            # The share begins with the signal, whatever it was before.
            self._share = FairShare()
            self.peers.signal()
        return is_new

    def ends(self) -> bool:
        """End the signal; return whether there was trouble."""
        was = self.retry_at is not None
        self.retry_at = None
        self.peers.end_signal()
        return was

    def share_alone(self, mine: Peer) -> int:
        """Return this run's share while it cannot use the file, in slots a second; 0 without a signal."""
        return self._share.update(
            mine.seen_at, self.peers.census() if self.peers.signal() else None, mine.interval_s
        )

    def share_beside_others(self, mine: Peer, settle_s: float) -> int | None:
        """Return this run's share while another run cannot use the file; None if there is none, nor was just now."""
        if self.peers.others_signal():
            self._others_until = mine.seen_at + settle_s
        if mine.seen_at >= self._others_until:
            return None
        return self._share.update(mine.seen_at, self.peers.census(), mine.interval_s)

    def others_may_be(self, *, moved: bool) -> bool:
        """Return whether other runs may have used another file than this new one.

        Of two runs that join at once, with a file each, one sees the other. A run that has `moved` may have shared its
        earlier file with runs that have ended.
        """
        census = self.peers.census()
        return moved or (census is not None and census.number > 1)


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def _socket_or_none() -> socket.socket | None:
    try:
        return _socket()
    except OSError:
        return None


def _bind(unbound: socket.socket, name: str) -> bool:
    try:
        unbound.bind(name)
    except OSError:
        return False
    return True
