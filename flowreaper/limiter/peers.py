"""Which runs of an account are alive on this machine, without a file: each one holds a name in the kernel.

Linux's abstract sockets (unix(7)) need no folder, are never full or locked, and end with their process, however it
ends. A suspended process keeps its own. Each network namespace has its own names. Other users of the machine can
take names too: they slow a run down by that, and never speed it up.
"""

import os
import socket
import sys
from types import TracebackType
from typing import Self

from flowreaper.limiter.fair_share import Census, Part, Peer

MOST = 16
"""Runs beyond this number have no name: they share the file, and send nothing while some run cannot use it."""


class Peers:
    """The name of one run among those of its account, from the first `join` to `__exit__`."""

    def __init__(self, account: str) -> None:
        self._prefix = f"\0flowreaper-{os.geteuid()}-{account}"
        self._number: int | None = None
        self._name: socket.socket | None = None
        self._probe: socket.socket | None = None
        self._signal: socket.socket | None = None
        self._signalling = False

    def __enter__(self) -> Self:
        """Return this; the name is taken when it is needed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for held in (self._name, self._probe, self._signal):
            if held:
                held.close()
        self._name = self._probe = self._signal = self._number = None
        self._signalling = False

    def join(self) -> None:
        """Take a name, if the system has any and one is free. It changes nothing to call it again."""
        if self._probe or sys.platform != "linux":
            return
        try:
            # All sockets at once: there may be no file descriptors left when the trouble comes.
            self._name, self._signal, self._probe = _socket(), _socket(), _socket()
        except OSError:
            self.__exit__(None, None, None)
            return
        for number in range(MOST):
            if _bind(self._name, self._name_of(number)):
                self._number = number
                return

    def census(self) -> Census | None:
        """Return this run's place among all that are alive, suspended ones too; None if it cannot be known."""
        if self._number is None:
            return None
        alive = [k for k in range(MOST) if k == self._number or self._exists(self._name_of(k))]
        return Census(alive.index(self._number), len(alive))

    def signal(self) -> bool:
        """Let the others know that this run cannot use the file; return whether they can see it."""
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
        # A datagram socket connects without a trace at the other end.
        return self._probe is not None and self._probe.connect_ex(name) == 0


class Trouble:
    """Whether this run or another cannot use the file, and what this one may take meanwhile."""

    def __init__(self, peers: Peers) -> None:
        self.peers = peers
        self.again_at: float | None = None
        self._part = Part()
        self._others_until = float("-inf")

    def begins(self, again_at: float) -> bool:
        """Signal that this run cannot use the file, and tries again then; return whether that is new."""
        is_new = self.again_at is None
        self.again_at = again_at
        if is_new:
            # Its part counts from the signal on, whatever it was before.
            self._part = Part()
            self.peers.signal()
        return is_new

    def ends(self) -> bool:
        """Take the signal back; return whether there was trouble."""
        was = self.again_at is not None
        self.again_at = None
        self.peers.end_signal()
        return was

    def own(self, mine: Peer) -> int:
        """Return the part of a run that cannot use the file."""
        return self._part.seen(
            mine.seen_at, self.peers.census() if self.peers.signal() else None, mine.interval_s
        )

    def others(self, mine: Peer, settle_s: float) -> int | None:
        """Return the part of a run that can, while another cannot or has just ended so; None: it has no bounds."""
        if self.peers.others_signal():
            self._others_until = mine.seen_at + settle_s
        if mine.seen_at >= self._others_until:
            return None
        return self._part.seen(mine.seen_at, self.peers.census(), mine.interval_s)

    def others_may_be(self, *, moved: bool) -> bool:
        """Return whether others may have used another file than this new one.

        Of two runs that join at once, with a file each, one sees the other. One that has `moved` may have shared the
        file before with runs that have ended.
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
