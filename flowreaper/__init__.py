"""flowreaper: delete WhatsApp draft flows in bulk, at the account's pace, resumable.

The library's public names. `_HOMES` is the list of them; a module is imported when one of its names is first used, so
that the command starts fast. Begin with `flowreaper.api`. A folder is a stage of a flow's way: producer, store,
workers, limiter, client, sink; `flowreaper.job` wires them. Who may import whom is in pyproject.toml.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowreaper.version import __version__ as __version__

# For type checkers, which do not run __getattr__. A test compares it with _HOMES.
if TYPE_CHECKING:
    from flowreaper.api import Job as Job
    from flowreaper.api import delete_flows as delete_flows
    from flowreaper.api import open_job as open_job
    from flowreaper.client.actions import CallerIdentity as CallerIdentity
    from flowreaper.client.client import CredentialSource as CredentialSource
    from flowreaper.client.endpoint import Endpoint as Endpoint
    from flowreaper.client.endpoint import parse_endpoint as parse_endpoint
    from flowreaper.client.endpoint import region_endpoint as region_endpoint
    from flowreaper.errors import Advice as Advice
    from flowreaper.errors import BackupError as BackupError
    from flowreaper.errors import BackupInUseError as BackupInUseError
    from flowreaper.errors import CheckpointError as CheckpointError
    from flowreaper.errors import CheckpointInUseError as CheckpointInUseError
    from flowreaper.errors import CheckpointRefusedError as CheckpointRefusedError
    from flowreaper.errors import CheckpointTouchedError as CheckpointTouchedError
    from flowreaper.errors import ConfigurationError as ConfigurationError
    from flowreaper.errors import ConsecutiveAbsencesError as ConsecutiveAbsencesError
    from flowreaper.errors import ConsecutiveRefusalsError as ConsecutiveRefusalsError
    from flowreaper.errors import CredentialsError as CredentialsError
    from flowreaper.errors import FatalReplyError as FatalReplyError
    from flowreaper.errors import FlowreaperError as FlowreaperError
    from flowreaper.errors import InputError as InputError
    from flowreaper.errors import ListingError as ListingError
    from flowreaper.errors import NotDeletedError as NotDeletedError
    from flowreaper.errors import OutageError as OutageError
    from flowreaper.errors import OutcomesError as OutcomesError
    from flowreaper.errors import OutputError as OutputError
    from flowreaper.errors import RunError as RunError
    from flowreaper.errors import TooManyFlowsError as TooManyFlowsError
    from flowreaper.errors import UnsupportedAiohttpError as UnsupportedAiohttpError
    from flowreaper.errors import UntrustedServerError as UntrustedServerError
    from flowreaper.events import Log as Log
    from flowreaper.job.deletion import Deletion as Deletion
    from flowreaper.job.deletion import TaggedRecord as TaggedRecord
    from flowreaper.job.max_delete import MaxDelete as MaxDelete
    from flowreaper.job.max_delete import parse_max_delete as parse_max_delete
    from flowreaper.job.run import Run as Run
    from flowreaper.job.safeguard_settings import SafeguardSettings as SafeguardSettings
    from flowreaper.job.settings import Settings as Settings
    from flowreaper.job.summary import InputRead as InputRead
    from flowreaper.job.summary import Opened as Opened
    from flowreaper.job.summary import Snapshot as Snapshot
    from flowreaper.job.summary import Summary as Summary
    from flowreaper.model import Cause as Cause
    from flowreaper.model import Credentials as Credentials
    from flowreaper.model import Ending as Ending
    from flowreaper.model import Entry as Entry
    from flowreaper.model import Flow as Flow
    from flowreaper.model import InvalidEntry as InvalidEntry
    from flowreaper.model import Record as Record
    from flowreaper.model import ReplyClass as ReplyClass
    from flowreaper.model import Retry as Retry
    from flowreaper.model import State as State
    from flowreaper.producer.items import Tagged as Tagged
    from flowreaper.producer.producer import IterableProducer as IterableProducer
    from flowreaper.producer.producer import Producer as Producer
    from flowreaper.sink.sink import Stream as Stream
    from flowreaper.store.history import Minute as Minute
    from flowreaper.store.history import PastRun as PastRun
    from flowreaper.store.overview import Overview as Overview
    from flowreaper.store.sqlite.reader import read_overview as read_overview
    from flowreaper.store.sqlite.reader import read_records as read_records
    from flowreaper.store.sqlite.reader import read_status as read_status
    from flowreaper.store.store import Holder as Holder
    from flowreaper.store.store import Identity as Identity
    from flowreaper.store.store import Status as Status
    from flowreaper.store.verification import CheckResult as CheckResult
    from flowreaper.store.verification import Remaining as Remaining
    from flowreaper.store.verification import Verification as Verification
    from flowreaper.store.verification import VerificationMethod as VerificationMethod

_HOMES = {
    "api": ("Job", "delete_flows", "open_job"),
    "client.actions": ("CallerIdentity",),
    "client.client": ("CredentialSource",),
    "client.endpoint": ("Endpoint", "parse_endpoint", "region_endpoint"),
    "errors": (
        "Advice",
        "BackupError",
        "BackupInUseError",
        "CheckpointError",
        "CheckpointInUseError",
        "CheckpointRefusedError",
        "CheckpointTouchedError",
        "ConfigurationError",
        "ConsecutiveAbsencesError",
        "ConsecutiveRefusalsError",
        "CredentialsError",
        "FatalReplyError",
        "FlowreaperError",
        "InputError",
        "ListingError",
        "NotDeletedError",
        "OutageError",
        "OutcomesError",
        "OutputError",
        "RunError",
        "TooManyFlowsError",
        "UnsupportedAiohttpError",
        "UntrustedServerError",
    ),
    "events": ("Log",),
    "job.deletion": ("Deletion", "TaggedRecord"),
    "job.max_delete": ("MaxDelete", "parse_max_delete"),
    "job.run": ("Run",),
    "job.safeguard_settings": ("SafeguardSettings",),
    "job.settings": ("Settings",),
    "job.summary": ("InputRead", "Opened", "Snapshot", "Summary"),
    "model": (
        "Cause",
        "Credentials",
        "Ending",
        "Entry",
        "Flow",
        "InvalidEntry",
        "Record",
        "ReplyClass",
        "Retry",
        "State",
    ),
    "producer.items": ("Tagged",),
    "producer.producer": ("IterableProducer", "Producer"),
    "sink.sink": ("Stream",),
    "store.history": ("Minute", "PastRun"),
    "store.overview": ("Overview",),
    "store.sqlite.reader": ("read_overview", "read_records", "read_status"),
    "store.store": ("Holder", "Identity", "Status"),
    "store.verification": ("CheckResult", "Remaining", "Verification", "VerificationMethod"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = tuple(sorted(_HOME_OF))


if not TYPE_CHECKING:  # a type checker would take every name for a public one

    def __getattr__(name: str) -> Any:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
