"""flowreaper: delete WhatsApp draft flows in bulk, at the account's pace, resumable.

The library's public names; each is imported when it is first used, so that the command starts fast. Begin with
`flowreaper.api`. A folder is a stage of a flow's way: producer, store, workers, limiter, client, sink; `flowreaper.job`
wires them. Who may import whom is in pyproject.toml.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowreaper.api import delete_flows
    from flowreaper.client.endpoint import parse_endpoint
    from flowreaper.errors import ConfigurationError, FlowreaperError, RunError
    from flowreaper.job.run import Job
    from flowreaper.job.settings import Settings
    from flowreaper.job.summary import Summary
    from flowreaper.model import Credentials, Flow, Record, State
    from flowreaper.store.sqlite.reader import read_records, read_status

__version__ = "0.1.0"

__all__ = [
    "ConfigurationError",
    "Credentials",
    "Flow",
    "FlowreaperError",
    "Job",
    "Record",
    "RunError",
    "Settings",
    "State",
    "Summary",
    "delete_flows",
    "parse_endpoint",
    "read_records",
    "read_status",
]

_HOMES = {
    "api": ("delete_flows",),
    "client.endpoint": ("parse_endpoint",),
    "errors": ("ConfigurationError", "FlowreaperError", "RunError"),
    "job.run": ("Job",),
    "job.settings": ("Settings",),
    "job.summary": ("Summary",),
    "model": ("Credentials", "Flow", "Record", "State"),
    "store.sqlite.reader": ("read_records", "read_status"),
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
