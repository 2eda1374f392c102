"""The note that a checkpoint keeps about a results file, and what follows from it. Pure.

It answers whose file it is, where its last whole line ends, and when two outcomes are the same.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Self

from flowreaper.model import Record, State

PREFIX = "results:"
"""The start of these notes' names."""

_START = b'{"flow_id": "'
_LAST_MS = 253_402_300_799_999  # the last one of the year 9999
_FIELDS = frozenset(Record._fields)


@dataclass(frozen=True, slots=True)
class ResultsNote:
    """What a checkpoint knows about a results file.

    `first` is its first line, noted before it was written: it proves whose file it is, under whatever name.
    Every outcome that ended later than `after_ms` (since the epoch) belongs in the file. `size` and `outcomes`
    (see `flowreaper.store.sqlite.reader.Outcomes`) were noted when it held all of them.
    """

    after_ms: int = 0
    first: str = ""
    size: int = 0
    outcomes: tuple[int, ...] = (0, 0, 0)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a note; None where the text is no valid one."""
        try:
            value = json.loads(text)
            first = value["first"]
            numbers = (value["after_ms"], value["size"], *value["outcomes"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if not isinstance(first, str) or not all(isinstance(number, int) for number in numbers):
            return None
        if not 0 <= numbers[0] <= _LAST_MS:
            return None
        if first and not (first.startswith(_START.decode()) and first.endswith("}\n") and first.isascii()):
            return None
        after_ms, size, *outcomes = numbers
        return cls(after_ms, first, size, tuple(outcomes))

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    def owns(self, head: bytes) -> bool:
        """Return whether a file belongs to this note: `head` is its start, no shorter than `first`, or all of it."""
        first = self.first.encode()
        if len(head) < len(first):  # a full disk, a kill: half of the first line
            return bool(head) and first.startswith(head)
        return bool(first) and head.startswith(first)


def note_name(real_path: bytes) -> str:
    """Return the name of the note of the file at this path (absolute, without links)."""
    return PREFIX + hashlib.sha256(real_path).hexdigest()[:32]


def mend(tail: bytes) -> tuple[int, bytes]:
    """Return how many bytes to cut off after a file's last line end, and what to add then.

    Half a line of ours is cut. Anything else is kept, and gets a line end.
    """
    if not tail or key_of_line(tail):
        return 0, b"\n" if tail else b""
    if tail.startswith(_START) or _START.startswith(tail):
        return len(tail), b""
    return 0, b"\n"


def key_of_line(line: bytes) -> bytes:
    """Return the key of a JSON line's outcome (see `key_of`); empty if the line is no outcome."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return b""
    if not isinstance(value, dict) or not value.keys() >= _FIELDS:
        return b""
    return _key(value["flow_id"], value["cust_space_id"], value["state"], value["finished_at"])


def key_of(record: Record) -> bytes:
    """Return an outcome's key, which is the same for the same outcome: its flow, its state and when it ended.

    An invalid line is recorded once, so its time is no part of the key.
    """
    return _key(record.flow_id, record.cust_space_id, record.state.value, record.finished_at)


def _key(flow_id: object, space: object, state: object, at: object) -> bytes:
    ended = "" if state == State.INVALID else at
    return "\n".join((str(flow_id), str(space or ""), str(state), str(ended))).encode(
        "utf-8", "surrogatepass"
    )
