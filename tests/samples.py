"""Values that several tests need: entries, outcomes, a checkpoint's identity."""

from flowreaper.model import AnyEntry, Claim, Entry, Flow, InvalidEntry, Outcome, Reply, State
from flowreaper.store.history import PastRun
from flowreaper.store.store import Identity

IDENTITY = Identity("https://cams.example", sandbox=False, access_key="LTAI****Key1")

AT_MS = 1_700_000_000_123
AT = "2023-11-14T22:13:20.123Z"

PAST_RUN = PastRun(
    started_at_ms=AT_MS,
    seen_at_ms=AT_MS,
    version="1.2.3",
    host="here",
    pid=42,
    access_key="LTAI****Key1",
    rate=5.0,
)

OK = Reply(200, "OK", "None", "RID-1")
REFUSAL = Reply(400, "Some.Code", "no", "RID-2")


def entries(*flow_ids: str, source: str = "ids.txt", space: str = "") -> list[AnyEntry]:
    return [Entry(Flow(flow_id, space), source, line) for line, flow_id in enumerate(flow_ids, start=1)]


def invalid(text: str, line: int = 9) -> InvalidEntry:
    return InvalidEntry(text, "the reason", "ids.txt", line)


def claim(row: int = 1, flow_id: str = "7", space: str = "") -> Claim:
    return Claim(row, Flow(flow_id, space), 0, in_doubt=False, source="ids.txt", line=row)


def outcome(
    claimed: Claim,
    state: State = State.DELETED,
    reply: Reply = OK,
    *,
    inferred: bool = False,
    in_doubt: bool = False,
    attempts: int = 1,
) -> Outcome:
    return Outcome(claimed, state, inferred, in_doubt, attempts, reply, AT_MS)
