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

from flowreaper.sharing import Census

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
        if self._number is None:
            self.join()
        if self._signal and self._number is not None and not self._signalling:
            self._signalling = _bind(self._signal, self._signal_of(self._number))
        return self._signalling

    def end_signal(self) -> None:
        """Let the others know that this run uses the file again."""
        if self._signal and self._signalling:
            # A socket keeps its name until it is closed.
            self._signal.close()
            self._signal = None
            self._signalling = False
            try:
                self._signal = _socket()
            except OSError:  # no descriptor is free: `signal` will say that nobody sees it
                return

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


def _socket() -> socket.socket:
    return socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def _bind(unbound: socket.socket, name: str) -> bool:
    try:
        unbound.bind(name)
    except OSError:
        return False
    return True
