"""Log events as sentences for people; names and fields of events are for programs. Pure."""

from collections.abc import Callable, MutableMapping
from typing import Any

from flowreaper.durations import duration

Event = MutableMapping[str, Any]

_KEPT = ("timestamp", "level")


def _of(space: str) -> str:
    return f" of the space {space}" if space else ""


SENTENCES: dict[str, Callable[[Event], str]] = {
    "outage.began": lambda e: (
        f"Nothing answers ({e['message'] or 'HTTP ' + str(e['http_status'])}): the run waits and tries again"
    ),
    "outage.ended": lambda e: f"The service answers again, after {duration(e['seconds'])}",
    "backup.outage_began": lambda e: (
        f"The files of the flows cannot be fetched ({e['message']}): the run waits and tries again"
    ),
    "backup.outage_ended": lambda e: (
        f"The files of the flows can be fetched again, after {duration(e['seconds'])}"
    ),
    "reading.outage_began": lambda e: (
        f"Nothing answers {e['operation']} ({e['message'] or 'HTTP ' + str(e['http_status'])}): it is tried again"
    ),
    "reading.outage_ended": lambda e: f"The service answers again, after {duration(e['seconds'])}",
    "templates.reading": lambda e: f"Reading which flows the templates{_of(e['cust_space_id'])} open",
    "templates.read": lambda e: (
        f"The templates{_of(e['cust_space_id'])} open {e['flows_in_use']:,} flow{'' if e['flows_in_use'] == 1 else 's'}"
    ),
    "canary.looking": lambda e: f"Looking whether the first {e['flows']:,} deletions happened",
    "canary.proven": lambda e: f"The first {e['flows']:,} deletions are proven: the rest starts",
    "pace.waiting": lambda e: f"The service asks to wait {duration(e['seconds'])} ({e['code']})",
    "pace.quota_shared": lambda e: (
        f"Another client of the account seems to take about {e['others_per_s']:g} calls/s of its quota"
    ),
    "pace.shared_with_another_run_on_this_machine": lambda _: (
        "Another run of this account on this machine: the two share the pace"
    ),
    "pace.not_shared_on_this_machine": lambda e: (
        f"The pace cannot be shared with other runs on this machine, so this one sends {e['sends']} until it can:"
        f" {e['folder']}: {e['error']}"
    ),
    "pace.shared_again_on_this_machine": lambda _: "The pace is shared with other runs on this machine again",
    "rate.above_documented_quota": lambda e: (
        f"{e['rate']:g} calls/s are more than the documented quota of {e['documented']:g}"
    ),
    "max_delete.counting": lambda e: (
        f"Counting the flows that exist in {e['spaces']:,} space{'' if e['spaces'] == 1 else 's'}, for --max-delete"
    ),
    "region.undocumented": lambda e: f"The service documents no endpoint in this region: {e['endpoint']}",
    "checkpoint.on_network_file_system": lambda e: (
        f"The checkpoint is on a network file system ({e['type']}), where locks may not hold: {e['checkpoint']}"
    ),
    "credentials.expire_before_the_end": lambda e: (
        f"The credentials are valid for {duration(e['valid_s'])}, and the run takes about"
        f" {duration(e['estimated_s'])}"
    ),
    "credentials.renewing": lambda e: f"The credentials have expired ({e['code']}): fetching them again",
    "clock.corrected": lambda e: (
        f"This machine's clock is off: calls bear the service's time, {e['service_date']}"
    ),
    "results.closed": lambda e: (
        f"Nobody reads {e['to']} any more; every outcome is in the checkpoint {e['checkpoint']}"
    ),
    "results.completed": lambda e: (
        f"{e['to']} lacked {e['outcomes_of_earlier_runs']:,} outcomes of earlier runs, which were added"
    ),
}
"""What an event means, from its fields, without a full stop; by the event's name."""


def in_words(_log: object, _method: str, event: Event) -> Event:
    """Put an event's sentence in place of its name and fields, as a processor of structlog; others pass through."""
    sentence = SENTENCES.get(event["event"])
    if sentence is None:
        return event
    kept = {name: event[name] for name in _KEPT if name in event}
    return kept | {"event": sentence(event)}
