"""What the sandbox remembers of every call, for users and for tests that judge a client by it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice


@dataclass(slots=True)
class Call:
    """One call, ``POST /`` or ``GET /``; what follows from it is filled in later.

    `number` counts from 1; `at_s` is the moment at which the whole call had arrived, in seconds since the epoch by this
    machine's clock, before any jitter. `code` is the Code that was answered, None where the answer held none (yet);
    `http_status` is None where no answer was sent (yet). `deleted`: this very call deleted the flow, whatever the
    client got to hear of it. `trouble` names the trouble that was made, with its code if it has one.

    `parameters` are those of an operation other than DeleteFlow, `header_names` those of a request for a flow's JSON,
    in lower case; None of any other call.
    """

    number: int
    at_s: float
    flow_id: str
    cust_space_id: str
    peer_port: int
    code: str | None = None
    http_status: int | None = None
    deleted: bool = False
    trouble: str | None = None
    parameters: Mapping[str, str] | None = None
    header_names: tuple[str, ...] | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the fields for JSON; dataclasses.asdict copies deeply and takes ten times as long."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        for name in ("parameters", "header_names"):
            if fields[name] is None:
                del fields[name]
        return fields


class Ledger:
    """The newest `limit` calls of one operation, in the order of arrival.

    `total` counts all calls; `redirects_followed` the requests that came to where a redirect pointed.
    """

    def __init__(self, limit: int) -> None:
        self.calls: deque[Call] = deque(maxlen=limit)
        self.total = 0
        self.redirects_followed = 0

    def arrive(self, *, at_s: float, flow_id: str, cust_space_id: str, peer_port: int) -> Call:
        """Enter a new call."""
        self.total += 1
        call = Call(self.total, at_s, flow_id, cust_space_id, peer_port)
        self.calls.append(call)
        return call

    def page(self, since: int, size: int) -> list[Call]:
        """Return at most `size` kept calls after call number `since`; 0 begins with the oldest that is kept."""
        skipped = max(0, since - (self.total - len(self.calls)))
        return list(islice(self.calls, skipped, skipped + size))
