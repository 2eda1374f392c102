"""Every exception that flowreaper raises, and nothing else.

    FlowreaperError
    ├── ConfigurationError      an option, a file or a variable cannot be used; nothing was sent
    │   ├── InputError          an input file is missing, unreadable or not in its format
    │   └── CheckpointRefusedError  the checkpoint belongs to another job, or is in use
    └── RunError                trouble that concerns every flow; the job can be resumed
        ├── CredentialsError    there are no credentials, or they cannot be renewed
        ├── CheckpointError     the checkpoint cannot be read or written
        │   └── CheckpointTouchedError  something else changed its file during a run
        ├── OutputError         a results file cannot be written
        ├── UntrustedServerError  the service's certificate did not verify
        ├── UnsupportedAiohttpError  the installed aiohttp does not say when a request was sent
        ├── FatalReplyError     the service gave an answer that every flow would get
        ├── ConsecutiveRefusalsError  many flows in a row were refused with the same code
        ├── ConsecutiveAbsencesError  many flows in a row do not exist, and the job has deleted none
        └── OutageError         the service has not answered for too long

An expected answer of the service is a value (`flowreaper.model.Reply`), not an exception.
A message names the value that is wrong and what to do next; it never holds a secret.
"""


class FlowreaperError(Exception):
    """The base class of everything that flowreaper raises on purpose."""


class ConfigurationError(FlowreaperError):
    """An option, a file or an environment variable cannot be used; no call was made."""


class InputError(ConfigurationError):
    """An input cannot be opened, or is not in its format."""


class CheckpointRefusedError(ConfigurationError):
    """The checkpoint exists, but this run must not use it: it belongs to another job, or is in use."""


class RunError(FlowreaperError):
    """Trouble that concerns every flow stopped the run. No flow is blamed, and the job can be resumed."""


class CredentialsError(RunError):
    """No credentials were found, or they could not be renewed."""


class CheckpointError(RunError):
    """The checkpoint could not be read or written, so nothing more may be sent."""


class CheckpointTouchedError(CheckpointError):
    """Something else changed the checkpoint's file during a run; that must be put right before going on."""


class OutputError(RunError):
    """A file of results could not be written."""


class UntrustedServerError(RunError):
    """The server may not be the service: its certificate did not verify."""


class UnsupportedAiohttpError(RunError):
    """The installed aiohttp does not report when a request was sent, so a lost answer could not be judged."""


class FatalReplyError(RunError):
    """The service gave an answer that every flow would get."""


class ConsecutiveRefusalsError(RunError):
    """Many flows in a row were refused with the same code."""


class ConsecutiveAbsencesError(RunError):
    """Many flows in a row do not exist, and the job has deleted none."""


class OutageError(RunError):
    """The service has not answered for longer than the run may wait."""
