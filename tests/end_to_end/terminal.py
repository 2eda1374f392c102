"""A real terminal, and the command on it."""

import errno
import os
import pty
import select
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

from tests.end_to_end.command import FLOWREAPER, PATIENCE_S, Command

# Makes the terminal `argv[1]` the one of the session, so that /dev/tty is it, and becomes the command.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


class Terminal:
    """The command on a terminal of its own; what it shows there is `shown`.

    Standard streams that are not given are the terminal too. `program` is what runs instead of the command.
    """

    def __init__(
        self,
        command: Command,
        *arguments: str,
        program: Sequence[str] = FLOWREAPER,
        **streams: IO[str] | int,
    ) -> None:
        self.master, terminal = pty.openpty()
        self._bytes = b""
        how: dict[str, Any] = {"stdin": terminal, "stdout": terminal, "stderr": terminal} | streams
        words = (sys.executable, "-c", _TAKE_TERMINAL, str(terminal), *program, *arguments)
        self.process = command.start(*words, pass_fds=(terminal,), **how)
        os.close(terminal)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with self.process:
            os.close(self.master)

    @property
    def shown(self) -> str:
        """What the terminal showed so far."""
        return self._bytes.decode()

    def type(self, text: str) -> None:
        """Type."""
        os.write(self.master, text.encode())

    def wait_for(self, text: str) -> None:
        """Return when the terminal has shown this."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            assert self._read(), self.shown

    def wait(self, answers: Mapping[str, str] | None = None) -> int:
        """Return the exit status, once the terminal is closed.

        `answers` are what to type each time that a text is shown.
        """
        given = dict.fromkeys(answers or {}, 0)
        while self._read():
            for text, answer in (answers or {}).items():
                if self.shown.count(text) > given[text]:
                    given[text] += 1
                    self.type(answer)
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], PATIENCE_S)
        assert ready, self.shown
        try:
            piece = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # how Linux says that nobody holds the terminal any more
                raise
            return False
        self._bytes += piece
        return bool(piece)
