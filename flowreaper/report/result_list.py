"""The full list of a job's results, read once: its digest, and what it counts."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from flowreaper.model import UNFINISHED, Flow, Record, State

SAMPLE = 3
_CHUNK = 2000


class Kind(NamedTuple):
    """What records have in common that ended alike, or have not ended. `code` is empty where no reply had one."""

    state: State
    code: str
    inferred: bool
    in_doubt: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultList:
    """What the list of all records says at one moment, so that its digest and its counts agree.

    `sha256` is of its bytes, in hexadecimal digits. `kinds` counts the records by kind, `samples` has the first few of
    each. `first_at` and `last_at` are when the first and the last outcome came, None where there is none.
    """

    sha256: str
    lines: int
    bytes: int
    kinds: dict[Kind, int]
    samples: dict[Kind, tuple[Flow, ...]]
    first_at: str | None = None
    last_at: str | None = None

    def count(self, *states: State, inferred: bool | None = None, in_doubt: bool | None = None) -> int:
        """Return how many records are in one of these states, and of such a kind."""
        return sum(
            count
            for kind, count in self.kinds.items()
            if kind.state in states
            and (inferred is None or kind.inferred is inferred)
            and (in_doubt is None or kind.in_doubt is in_doubt)
        )

    @property
    def flows(self) -> int:
        """How many records are of flows; the others are invalid lines."""
        return self.lines - self.count(State.INVALID)

    @property
    def unfinished(self) -> int:
        """How many flows have no outcome yet."""
        return self.count(*UNFINISHED)


def read_list(records: Iterable[Record], write: Callable[[Record], str]) -> ResultList:
    """Read all records, each written as `write` does, in memory that does not grow with their number."""
    digest = hashlib.sha256()
    size = 0
    counting = _Counting({}, {})
    for text in _chunks(counting.counted(records), write):
        chunk = text.encode()
        digest.update(chunk)
        size += len(chunk)
    return ResultList(
        sha256=digest.hexdigest(),
        lines=sum(counting.kinds.values()),
        bytes=size,
        kinds=counting.kinds,
        samples={kind: tuple(flows) for kind, flows in counting.samples.items()},
        first_at=counting.first_at,
        last_at=counting.last_at,
    )


@dataclass(slots=True)
class _Counting:
    kinds: dict[Kind, int]
    samples: dict[Kind, list[Flow]]
    first_at: str | None = None
    last_at: str | None = None

    def counted(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass the records on, and count them."""
        kinds = self.kinds
        for record in records:
            kind = Kind(record.state, record.code or "", record.inferred, record.in_doubt)
            count = kinds.get(kind, 0)
            kinds[kind] = count + 1
            if count < SAMPLE:
                self.samples.setdefault(kind, []).append(Flow(record.flow_id, record.cust_space_id or ""))
            at = record.finished_at
            if at is not None:  # times of one shape: they compare as text
                self.first_at = at if self.first_at is None or at < self.first_at else self.first_at
                self.last_at = at if self.last_at is None or at > self.last_at else self.last_at
            yield record


def _chunks(records: Iterable[Record], write: Callable[[Record], str]) -> Iterator[str]:
    lines: list[str] = []
    for record in records:
        lines.append(write(record))
        if len(lines) == _CHUNK:
            yield "".join(lines)
            lines = []
    yield "".join(lines)
