"""What the SOURCEs of a command hold: counted before a run, read during it."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePath

from flowreaper.client.actions import CallerIdentity
from flowreaper.job.dry_run import Plan, plan
from flowreaper.job.run import identity_of
from flowreaper.job.settings import Settings
from flowreaper.model import Flow
from flowreaper.producer.files import FilesProducer, read_entries
from flowreaper.producer.first_listed import first_listed
from flowreaper.producer.formats import InputSettings, may_be_csv
from flowreaper.producer.producer import Deliver
from flowreaper.producer.sources import Source

_STDIN = 0
_COUNTED_BEFORE = 256 * 1024
# Input of up to this many bytes (13,000 ids, some 40 ms) is counted before the first call where nobody is asked.


class Input:
    """The sources of one command, and how they are read."""

    def __init__(self, sources: Sequence[Source], settings: InputSettings) -> None:
        self._sources = sources
        self._settings = settings

    def producer(self, deliver: Deliver) -> FilesProducer:
        """Return what reads the sources during a run."""
        return FilesProducer(self._sources, self._settings, deliver)

    def plan(self, checkpoint: Path, settings: Settings, caller: CallerIdentity | None = None) -> Plan:
        """Count what can be read twice; raises ConfigurationError, also for a checkpoint of another account."""
        readable = [source for source in self._sources if source.rereadable]
        return plan(
            (read_entries(source, self._settings) for source in readable),
            checkpoint,
            identity_of(settings, caller=caller),
            settings.taken_again,
            listed=bool(self._sources),
            afresh=settings.sandbox,
        )

    def is_small(self) -> bool:
        """Return whether counting the input before the first call takes no time to speak of."""
        sizes = [os.stat(s.path or s.fd or _STDIN).st_size for s in self._sources if s.rereadable]  # noqa: PTH116 -- a path or a descriptor
        return bool(sizes) and sum(sizes) <= _COUNTED_BEFORE

    def first_listed(self, flows: Sequence[Flow]) -> list[Flow]:
        """Return those of the flows that a source surely lists, a few of them.

        None where a quotation mark may be open: what follows it is no list, and the producer refuses it first.
        """
        if any(map(self._may_be_unclosed, self._sources)):
            return []
        found = (first_listed(source, self._settings, flows) for source in self._sources)
        return next(filter(None, found), [])

    def _may_be_unclosed(self, source: Source) -> bool:
        return source.odd_quotes and may_be_csv(PurePath(source.path).suffix, self._settings)
