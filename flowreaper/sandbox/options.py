"""How a sandbox behaves, and the access key that it accepts by default."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.model import Credentials
from flowreaper.sandbox.operations import OPERATIONS
from flowreaper.sandbox.quota import make_quota
from flowreaper.sandbox.undocumented import ASSET_LIFE_S, PAGE_CAP

CREDENTIALS = Credentials("LTAIsandboxAccessKey0001", "sandbox-secret-that-opens-nothing")
"""A sample key: it opens the sandbox and nothing else."""

_ACCOUNT_ID = re.compile(r"\d{1,19}", re.ASCII)
ACCOUNT_ID = "1000000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox behaves; the defaults are a friendly service.

    `window` (one of ``quota.WINDOWS``) and `rate` (calls a second) are the quota. Each answer comes `latency_s`
    late; each call reaches the quota up to `jitter_s` late, evenly spread. For `known`, `published` and
    `foreign` see `service`. `trouble` is a script (see ``trouble.parse_script``), `seed` that of its chances
    and of the jitter. A dripping answer takes `drip_s`. The service's clock is `clock_offset_s` ahead of this
    machine's. A ledger keeps the newest `ledger_limit` calls of its operation, some 300 bytes each.

    `seed_flows` makes an account of this many flows, always the same for a `seed` (see ``seed.seeded``). ListFlow
    notices what was created or deleted `list_lag_s` late. `deny` names operations that the caller has no right to.
    `credentials` belong to the account `account_id`; `more_keys` are others, each an access key id with its secret and
    account: a second key of the same account shares flows and quota, and another account has no flows but those that
    are created in it. A page holds `page_cap` entries at most; where `last_page_repeats`, what comes after the last
    page is that page again. The address of a flow's JSON stays valid for `asset_life_s`.
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
    seed_flows: int = 0
    list_lag_s: float = 0.0
    deny: AbstractSet[str] = frozenset()
    account_id: str = ACCOUNT_ID
    more_keys: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)  # it holds secrets
    page_cap: int = PAGE_CAP
    last_page_repeats: bool = False
    asset_life_s: float = ASSET_LIFE_S


def check(options: SandboxOptions) -> None:
    """Raise ConfigurationError for options that cannot be used; the trouble script is not looked at."""
    make_quota(options.window, options.rate)
    for name, value in (
        ("latency", options.latency_s),
        ("jitter", options.jitter_s),
        ("drip", options.drip_s),
        ("list lag", options.list_lag_s),
        ("asset life", options.asset_life_s),
    ):
        if not 0 <= value < float("inf"):
            raise ConfigurationError(f"the sandbox's {name} is {value}: give 0 seconds or more")
    for name, number, least in (("seed_flows", options.seed_flows, 0), ("page_cap", options.page_cap, 1)):
        if number < least:
            raise ConfigurationError(f"the sandbox's {name} is {number}: give {least} or more")
    for account_id in (options.account_id, *(account_id for _, account_id in options.more_keys.values())):
        if not _ACCOUNT_ID.fullmatch(account_id):
            raise ConfigurationError(
                f"the sandbox's account_id is '{printable(account_id)}': give 1 to 19 digits, such as {ACCOUNT_ID}"
            )
    for operation in sorted(options.deny - OPERATIONS.keys()):
        raise ConfigurationError(
            f"the sandbox has no operation '{printable(operation)}' to deny: choose from {', '.join(OPERATIONS)}"
        )
    if options.credentials.access_key_id in options.more_keys:
        raise ConfigurationError(
            "one of the sandbox's more_keys is its first key: give another access key id"
        )
