"""What a run would do, found out beforehand: reads everything, calls nothing, writes nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from flowreaper.checkpoint import make_temporary
from flowreaper.model import Entry, Flow, Identity, InvalidEntry, State
from flowreaper.report import read_status

_BATCH = 10_000
_SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Survey:
    """What the input and the checkpoint hold.

    `new` flows are in the input alone; `unfinished` ones in the checkpoint (in the input as well or not);
    `removed` are those of them that are not in the input; `finished` are in the input, but have their outcome
    already; `reopened` are those that --retry takes again; `repeated` and `invalid` are lines of the input;
    `failed` flows and lines of the checkpoint ended neither deleted nor absent. `sample` are a few flows that a
    run would call.
    """

    new: int
    unfinished: int
    finished: int
    reopened: int
    repeated: int
    invalid: int
    sample: tuple[Flow, ...]
    invalid_sample: tuple[InvalidEntry, ...]
    removed: int = 0
    failed: int = 0

    @property
    def to_call(self) -> int:
        """Flows that a run would call."""
        return self.new + self.unfinished + self.reopened


def survey(
    sources: Iterable[Iterable[Entry | InvalidEntry]],
    checkpoint: Path,
    identity: Identity,
    retry: tuple[State, ...] = (),
    on_batch: Callable[[int], None] = lambda _read: None,
) -> Survey:
    """Read the sources and compare them with the checkpoint, if there is one.

    Memory stays flat: the ids are gathered in a nameless file of SQLite's. `on_batch` is told how many
    entries were read so far.

    Raises:
        ConfigurationError: a source cannot be read, or the checkpoint is not this job's.
    """
    # An empty file is what a run leaves that is killed before its first write.
    exists = checkpoint.exists() and checkpoint.stat().st_size > 0
    states = read_status(checkpoint, identity).states if exists else {}
    invalid_sample: list[InvalidEntry] = []
    new = repeated = invalid = read = 0
    gathered = make_temporary(checkpoint)
    try:
        for batch in _batches(sources):
            for entry in batch:
                if isinstance(entry, InvalidEntry) and len(invalid_sample) < _SAMPLE:
                    invalid_sample.append(entry)
            added = gathered.add(batch)
            new += added.new
            repeated += added.repeated
            invalid += len(added.invalid)
            read += len(batch)
            on_batch(read)
        known, finished = gathered.known_to(checkpoint) if exists else (0, 0)
        taken = (State.PENDING, State.CLAIMED, *retry)
        sample = gathered.first(_SAMPLE, checkpoint, taken) if exists else gathered.first(_SAMPLE)
    finally:
        gathered.close()
    unfinished = states.get(State.PENDING, 0) + states.get(State.CLAIMED, 0)
    return Survey(
        new=new - known,
        unfinished=unfinished,
        removed=unfinished - (known - finished),
        finished=finished,
        reopened=sum(states.get(state, 0) for state in retry),
        repeated=repeated,
        invalid=invalid,
        sample=tuple(sample),
        invalid_sample=tuple(invalid_sample),
        failed=sum(states.get(state, 0) for state in (State.REFUSED, State.GAVE_UP, State.INVALID)),
    )


def _batches(sources: Iterable[Iterable[Entry | InvalidEntry]]) -> Iterable[list[Entry | InvalidEntry]]:
    batch: list[Entry | InvalidEntry] = []
    for source in sources:
        for entry in source:
            batch.append(entry)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch
