"""The exit statuses of the command, and what each means: the one table, for help and README."""

from enum import IntEnum

from flowreaper.model import Ending


class ExitStatus(IntEnum):
    """The command's exit statuses; 130, 143 and 141 (128 + signal) come on top."""

    DONE = 0
    INCOMPLETE = 1
    USAGE = 2
    STOPPED = 3
    LEFT = 4
    IN_USE = 75  # EX_TEMPFAIL of sysexits.h: the same command may work later


MEANINGS = {
    ExitStatus.DONE: Ending.FINISHED.meaning,
    ExitStatus.INCOMPLETE: Ending.INCOMPLETE.meaning,
    ExitStatus.USAGE: "bad usage, input or configuration, or the question was answered No; nothing was sent",
    ExitStatus.STOPPED: f"{Ending.STOPPED.meaning} (permission, key, outage, a file that fails); can go on",
    ExitStatus.LEFT: "stopped as asked (--limit, --max-duration, --stop-at), and flows are left; can go on",
    ExitStatus.IN_USE: "another run has the checkpoint; nothing was sent",
    130: "interrupted by SIGINT (Ctrl-C); can go on",
    143: "interrupted by SIGTERM or SIGHUP; can go on",
}
"""What the exit statuses of ``flowreaper delete`` mean."""

READING = {
    ExitStatus.DONE: "all that was asked for was written",
    ExitStatus.USAGE: "bad usage, or a file that is no checkpoint",
    ExitStatus.STOPPED: "a checkpoint cannot be read, or the output cannot be written",
    141: "the reader closed the pipe (SIGPIPE)",
}
"""What the exit statuses of commands that read a checkpoint mean."""

PLANNING = {
    **READING,
    ExitStatus.USAGE: "bad usage, or a file that is no plan, or a plan that was changed",
}
"""What the exit statuses of ``flowreaper plan`` mean."""

LISTING = {
    ExitStatus.DONE: "the list is complete",
    ExitStatus.INCOMPLETE: "the status of some flows could not be read; they are left out",
    ExitStatus.USAGE: "bad usage, or nothing was selected",
    ExitStatus.STOPPED: "stopped by something that concerns every call (permission, key, outage): not complete",
    130: "interrupted by SIGINT (Ctrl-C)",
    141: "the reader closed the pipe (SIGPIPE)",
}
"""What the exit statuses of ``flowreaper list`` and ``spaces`` mean."""

RESTORING = {
    ExitStatus.DONE: "every flow that was taken has a draft, or is still there",
    ExitStatus.INCOMPLETE: "some flows were refused, or may be there, or have a draft, or were not saved whole",
    ExitStatus.USAGE: "bad usage or configuration, no backup, or the question was answered No; nothing was sent",
    ExitStatus.STOPPED: MEANINGS[ExitStatus.STOPPED],
    ExitStatus.LEFT: "stopped as asked (--limit), and flows are left; can go on",
    ExitStatus.IN_USE: "another process has the backup; nothing was sent",
    130: MEANINGS[130],
    143: MEANINGS[143],
}
"""What the exit statuses of ``flowreaper restore`` mean."""

VERIFYING = {
    ExitStatus.DONE: "none of the flows that were checked remains",
    ExitStatus.INCOMPLETE: "some are still there, or could not be looked at",
    ExitStatus.USAGE: "bad usage or configuration, or a file that is no checkpoint of this account and endpoint",
    ExitStatus.STOPPED: f"{Ending.STOPPED.meaning} (permission, key, outage, a file that fails)",
    ExitStatus.IN_USE: "a run has the checkpoint",
    130: "interrupted by SIGINT (Ctrl-C); what was found is kept",
    143: "interrupted by SIGTERM or SIGHUP; what was found is kept",
}
"""What the exit statuses of ``flowreaper verify`` mean."""

STATUS_OF = {
    Ending.FINISHED: ExitStatus.DONE,
    Ending.INCOMPLETE: ExitStatus.INCOMPLETE,
    Ending.LIMIT: ExitStatus.LEFT,
    Ending.TIME_UP: ExitStatus.LEFT,
    Ending.STOPPED: ExitStatus.STOPPED,
}
"""The exit status of each ending; that of an interrupted run names the signal."""
