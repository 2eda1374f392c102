"""The exit statuses of the command."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """The command's exit statuses; 130 and 143 (128 + signal) come on top."""

    DONE = 0  # every flow deleted or absent
    INCOMPLETE = 1  # finished, but some refused, invalid or gave up
    USAGE = 2  # bad options, input or configuration; nothing sent
    STOPPED = 3  # stopped by something that concerns every flow
