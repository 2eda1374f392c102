"""All that a checkpoint holds but its records: what status, summary and report show."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowreaper.model import Cause
from flowreaper.store.history import Minute, PastRun
from flowreaper.store.store import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a checkpoint held at one moment.

    `causes` say why flows ended other than by a confirmed deletion, what needs a person first. `sources` and `spaces`
    count the flows by source, in the order of reading, and by space, the most first; "" is the account's own space.
    `runs` and `minutes` are in their order; a checkpoint that no run has opened since version 1 has none.
    """

    status: Status
    causes: tuple[Cause, ...] = ()
    sources: Mapping[str, int]
    spaces: Mapping[str, int]
    runs: tuple[PastRun, ...] = ()
    minutes: tuple[Minute, ...] = ()
