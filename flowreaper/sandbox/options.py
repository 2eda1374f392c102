"""How a sandbox behaves, and the access key that it accepts by default."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from flowreaper.model import Credentials

CREDENTIALS = Credentials("LTAIsandboxAccessKey0001", "sandbox-secret-that-opens-nothing")
"""A sample key: it opens the sandbox and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox behaves; the defaults are a friendly service.

    `window` (one of ``quota.WINDOWS``) and `rate` (calls a second) are the quota. Each answer comes `latency_s`
    late; each call reaches the quota up to `jitter_s` late, evenly spread. For `known`, `published` and
    `foreign` see `service`. `trouble` is a script (see ``trouble.parse_script``), `seed` that of its chances
    and of the jitter. A dripping answer takes `drip_s`. The service's clock is `clock_offset_s` ahead of this
    machine's. The ledger keeps the newest `ledger_limit` calls, some 300 bytes each.
    """

    window: str = "bucket"
    rate: int = 5
    latency_s: float = 0.0
    jitter_s: float = 0.0
    known: AbstractSet[str] | None = None
    published: AbstractSet[str] = frozenset()
    foreign: AbstractSet[str] = frozenset()
    trouble: str = ""
    seed: int = 0
    drip_s: float = 5.0
    clock_offset_s: float = 0.0
    credentials: Credentials = CREDENTIALS
    ledger_limit: int = 1_000_000
