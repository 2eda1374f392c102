"""What a run would do: for the dry run and the confirmation. Reads everything, calls nothing, writes nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowreaper.model import FAILED, UNFINISHED, AnyEntry, Flow, InvalidEntry, Retry, State
from flowreaper.store.sqlite.input_index import InputIndex
from flowreaper.store.sqlite.reader import is_begun, read_status
from flowreaper.store.store import Identity, Status

_BATCH = 10_000
_SAMPLE = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What the input and the checkpoint hold.

    `new` flows are in the input alone; `unfinished` ones are in the checkpoint and will be called; `unlisted` are
    unfinished, too, but not in the input, so they are left alone; `finished` are in the input, but have their
    outcome already; `reopened` are those that the user wants to take again; `repeated` and `invalid` are lines of
    the input; `failed` flows and lines of the checkpoint ended neither deleted nor absent. `sample` are a few flows
    that a run would call.
    """

    new: int
    unfinished: int
    finished: int
    reopened: int
    repeated: int
    invalid: int
    sample: tuple[Flow, ...]
    invalid_sample: tuple[InvalidEntry, ...]
    unlisted: int = 0
    failed: int = 0

    @property
    def to_call(self) -> int:
        """Flows that a run would call."""
        return self.new + self.unfinished + self.reopened


def plan(
    sources: Iterable[Iterable[AnyEntry]],
    checkpoint: Path,
    identity: Identity,
    retry: Retry = Retry(),  # noqa: B008 -- an immutable value
    *,
    listed: bool = True,
    afresh: bool = False,
) -> Plan:
    """Read the sources and compare them with the checkpoint, if there is one.

    `listed`: only flows of the sources are called; else everything that is unfinished. `afresh`: the run will empty
    the checkpoint before it begins. Memory stays flat.

    Raises:
        ConfigurationError: a source cannot be read, or the checkpoint is not this job's.
    """
    exists = is_begun(checkpoint)
    status = read_status(checkpoint, identity) if exists else None
    if afresh:
        exists, status = False, None
    invalid_sample: list[InvalidEntry] = []
    new = repeated = invalid = 0
    with InputIndex(checkpoint, exists=exists) as index:
        for batch in _batches(sources):
            for entry in batch:
                if isinstance(entry, InvalidEntry) and len(invalid_sample) < _SAMPLE:
                    invalid_sample.append(entry)
            added = index.add(batch)
            new += added.new
            repeated += added.repeated
            invalid += len(added.invalid)
        known, unfinished, reopened = index.compare(retry)
        sample = index.sample(_SAMPLE, retry, listed=listed)
    in_all = sum(_in(status, UNFINISHED))
    return Plan(
        new=new - known,
        unfinished=unfinished if listed else in_all,
        unlisted=in_all - unfinished if listed else 0,
        finished=known - unfinished - reopened,
        reopened=reopened if listed else sum(_in(status, retry.states, retry.codes)),
        repeated=repeated,
        invalid=invalid,
        sample=sample,
        invalid_sample=tuple(invalid_sample),
        failed=sum(_in(status, FAILED)),
    )


def _in(status: Status | None, states: Iterable[State], codes: Sequence[str] = ()) -> Iterator[int]:
    """Yield the counts of the flows in these states, with these codes if there are any."""
    for state in states if status else ():
        for code, count in (status.codes.get(state, {}) if status else {}).items():
            if not codes or code in codes:
                yield count


def _batches(sources: Iterable[Iterable[AnyEntry]]) -> Iterable[list[AnyEntry]]:
    batch: list[AnyEntry] = []
    for source in sources:
        for entry in source:
            batch.append(entry)
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch
