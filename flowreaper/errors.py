"""Every exception that flowreaper raises, and what to do about it.

    FlowreaperError
    ├── OutcomesError           flows of a run were refused, invalid, given up, or are left
    ├── ConfigurationError      an option, a file or a variable cannot be used; nothing was sent
    │   ├── InputError          an input file is missing, unreadable or not in its format
    │   ├── BackupInUseError    another process has the backup's folder
    │   ├── TooManyFlowsError   more flows would be called than may be
    │   └── CheckpointRefusedError  the checkpoint belongs to another job
    │       └── CheckpointInUseError  another run has the checkpoint
    └── RunError                trouble that concerns every flow; the job can be resumed
        ├── CredentialsError    there are no credentials, or they cannot be renewed
        ├── CheckpointError     the checkpoint cannot be read or written
        │   └── CheckpointTouchedError  something else changed its file during a run
        ├── OutputError         a results file or a backup cannot be written
        ├── BackupError         many flows in a row could not be saved, so they were not deleted
        ├── UntrustedServerError  the service's certificate did not verify
        ├── UnsupportedAiohttpError  the installed aiohttp does not say when a request was sent
        ├── FatalReplyError     the service gave an answer that every flow would get
        ├── NotDeletedError         a flow that the service said to have deleted is still there
        ├── ConsecutiveRefusalsError  many flows in a row were refused with the same code
        ├── ConsecutiveAbsencesError  many flows in a row do not exist, and the job has deleted none
        ├── ListingError         flows, spaces or templates cannot be listed to the end
        └── OutageError         the service has not answered for too long

An expected answer of the service is a value (`flowreaper.model.Reply`), not an exception.
A message names the value that is wrong and what to do next; it never holds a secret. It names no flag and no command:
an entry point adds them for the error's `advice`.
"""

from enum import StrEnum
from typing import Any


class Advice(StrEnum):
    """What a user can do about an error, for an entry point to say in its own terms."""

    WAIT_LONGER = "wait_longer"  # raise the outage limit
    RETRY_REFUSED = "retry_refused"  # mend the account and retry, or allow refusals in a row
    ACCEPT_ABSENCES = "accept_absences"  # check where the flows are, or allow absences in a row
    ACCEPT_LOST_LOG = "accept_lost_log"
    RETRY_UNSAVED = "retry_unsaved"  # mend what keeps flows from being saved, and take them again
    EXPORT_RESULTS = "export_results"  # read the outcomes from the checkpoint
    OTHER_RESULTS = "other_results"  # name another file for the results
    NEW_RESULTS = "new_results"  # name a new file, or the checkpoint that began this one
    OTHER_CHECKPOINT = "other_checkpoint"
    KNOWN_CHECKPOINT = "known_checkpoint"  # name the file that a run made
    NAME_PROFILE = "name_profile"
    TREAT_CODE = "treat_code"  # say what an error code means
    NAME_ID_FIELD = "name_id_field"
    NAME_SPACE_FIELD = "name_space_field"
    READ_AS_TEXT = "read_as_text"
    READ_AS_JSON_LINES = "read_as_json_lines"
    USE_PLAN = "use_plan"  # say that the file is a plan
    REPLACE_PLAN = "replace_plan"
    WITHOUT_STATUS = "without_status"  # what works where flows may not be looked at (GetFlow)
    WITHOUT_LOOK = "without_look"  # the same where a restore may not look whether a flow is still there
    WITHOUT_TEMPLATES = "without_templates"  # the same where templates may not be read
    WITHOUT_JSON = "without_json"  # the same where a flow's JSON may not be read
    WITHOUT_LIST = "without_list"  # the same where flows may not be listed
    WITHOUT_SPACES = "without_spaces"  # the same where the spaces may not be listed
    ALLOW_MORE = "allow_more"  # raise the limit of flows that may be called
    WITHOUT_IDENTITY = "without_identity"  # leave the account's number unchecked
    VERIFY_FIRST = "verify_first"  # see what is still there; a next run goes on with other flows


class FlowreaperError(Exception):
    """The root of the tree: catch it to catch everything that flowreaper raises on purpose.

    `advice` is what can be done about it, beyond what the message says; `setting` names the setting with which the
    message begins, empty where it begins with none. `summary` is the `Summary` of the run that it ended, None where
    there was no run.
    """

    def __init__(self, message: str = "", advice: Advice | None = None, *, setting: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.setting = setting
        self.summary: Any = None  # a Summary; this module is below the one that defines it


class OutcomesError(FlowreaperError):
    """Flows of a run were refused, invalid or given up, or are left. `Summary.raise_for_outcomes` raises it."""


class ConfigurationError(FlowreaperError):
    """An option, a file or an environment variable cannot be used; no call was made."""


class InputError(ConfigurationError):
    """An input cannot be opened, or is not in its format."""


class TooManyFlowsError(ConfigurationError):
    """More flows would be called than may be; none was."""


class CheckpointRefusedError(ConfigurationError):
    """The checkpoint exists, but this run must not use it: it belongs to another job, say."""


class CheckpointInUseError(CheckpointRefusedError):
    """Another run has the checkpoint; the same command may work later."""


class BackupInUseError(ConfigurationError):
    """Another process has the backup's folder; the same command may work later."""


class RunError(FlowreaperError):
    """Trouble that concerns every flow stopped the run. No flow is blamed, and the job can be resumed."""


class CredentialsError(RunError):
    """No credentials were found, or they could not be renewed."""


class CheckpointError(RunError):
    """The checkpoint could not be read or written, so nothing more may be sent."""


class CheckpointTouchedError(CheckpointError):
    """Something else changed the checkpoint's file during a run; that must be put right before going on."""


class OutputError(RunError):
    """A file of results, or a backup, could not be written."""


class BackupError(RunError):
    """Many flows in a row could not be saved, so they were not deleted."""


class UntrustedServerError(RunError):
    """The server may not be the service: its certificate did not verify."""


class UnsupportedAiohttpError(RunError):
    """The installed aiohttp does not report when a request was sent, so a lost answer could not be judged."""


class FatalReplyError(RunError):
    """The service gave an answer that every flow would get."""


class NotDeletedError(RunError):
    """A flow that the service said to have deleted is still there, or nobody can say; nothing more was deleted."""


class ConsecutiveRefusalsError(RunError):
    """Many flows in a row were refused with the same code."""


class ConsecutiveAbsencesError(RunError):
    """Many flows in a row do not exist, and the job has deleted none."""


class ListingError(RunError):
    """The service refused a part of a list, so nobody knows what is missing in it."""


class OutageError(RunError):
    """The service has not answered for longer than the run may wait."""
