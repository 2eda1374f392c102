"""Which accounts a sandbox begins with: the options' own, and those of further keys."""

from flowreaper.sandbox.account import Account, Accounts
from flowreaper.sandbox.options import SandboxOptions
from flowreaper.sandbox.seed import Seeded, seeded
from flowreaper.sandbox.service import Service


def accounts_of(options: SandboxOptions) -> Accounts:
    """Make the accounts; a seeded one has no flows but its own and those that `known` names."""
    content = seeded(options.seed_flows, options.seed) if options.seed_flows > 0 else Seeded()
    known = options.known or frozenset() if content.flows else options.known
    service = Service(
        known=known,
        published=options.published,
        foreign=options.foreign,
        seeded=content.flows,
        list_lag_s=options.list_lag_s,
    )
    own = Account(
        options.account_id,
        service,
        options.window,
        options.rate,
        templates=list(content.templates),
        instances=list(content.instances),
    )
    others = {account_id for _, account_id in options.more_keys.values()} - {options.account_id}
    empty = [
        Account(
            account_id,
            Service(known=frozenset(), list_lag_s=options.list_lag_s),
            options.window,
            options.rate,
        )
        for account_id in sorted(others)
    ]
    keys = {key: account_id for key, (_, account_id) in options.more_keys.items()}
    return Accounts([own, *empty], {**keys, options.credentials.access_key_id: options.account_id})
