"""The store of flows and outcomes, whatever database keeps it: its protocol, its identity, its status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from flowreaper.escaping import printable
from flowreaper.model import Added, AnyEntry, Change, Claim, State


class Store(Protocol):
    """What keeps flows and outcomes: durable when a coroutine returns, in the order of the calls.

    Every coroutine raises RunError where the store cannot be written: nothing of that call was kept then.
    """

    async def add(self, entries: Sequence[AnyEntry]) -> Added:
        """Keep what was read; only count what is known already."""
        ...

    async def write(self, changes: Sequence[Change], new: int = 0, rows: Sequence[int] = ()) -> list[Claim]:
        """Record `changes`, then claim the flows of `rows`, then up to `new` pending flows that come next.

        All of it is one transaction, and the claims come in that order. A pending flow is claimed in the order of
        reading, once; to claim it a second time, name its row.
        """
        ...

    async def look(self, new: int, rows: Sequence[int] = ()) -> list[Claim]:
        """Return the flows that `write` would claim, without claiming them; they come once, as there."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """What a checkpoint belongs to; a run of another account, endpoint or kind of service refuses it.

    `access_key` is masked. It may change, since keys are rotated. `account` is the account's number and `arn` says who
    of it makes the calls; both are empty where nobody asked. `plan` is the digest of the plan that the flows come from,
    empty: they come from elsewhere.
    """

    endpoint: str
    sandbox: bool
    access_key: str
    account: str = ""
    arn: str = ""
    plan: str = ""

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """Who makes the calls and the plan, as the checkpoint keeps it: names and values."""
        return (("account", self.account), ("arn", self.arn), ("plan", self.plan))


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that has a checkpoint, as it noted itself when it opened it. `since` has a zone, and whole seconds."""

    pid: int
    host: str
    since: datetime

    def __str__(self) -> str:
        return printable(f"pid {self.pid} on {self.host} since {self.since.isoformat(timespec='seconds')}")


@dataclass(frozen=True, slots=True)
class Status:
    """What a checkpoint holds: what it belongs to, and its flows counted by state and by code.

    `account` and `arn` are empty where no run has asked for them, `plan` (a digest) where no run had one. `safeguards`
    are what the job notes of them. `in_doubt` counts the unfinished flows that had a call without a reply. `codes` maps
    each state to its codes and their counts, most frequent first; "" stands for none. `live`: a run has the checkpoint.
    Then `holder` is that run, None where its note cannot be read, and `under_way` counts the flows that it has claimed;
    these are in doubt only if an earlier run left them so.
    """

    endpoint: str
    sandbox: bool
    access_key: str
    states: dict[State, int]
    inferred: int
    in_doubt: int
    codes: dict[State, dict[str, int]]
    live: bool = False
    holder: Holder | None = None
    under_way: int = 0
    account: str = ""
    arn: str = ""
    plan: str = ""
    safeguards: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """Which run has the checkpoint, in words; empty where none has it, or its note cannot be read."""
        return str(self.holder) if self.holder else ""
