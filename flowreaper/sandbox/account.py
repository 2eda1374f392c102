"""The accounts of a sandbox, what each holds, and the keys that open them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from flowreaper.sandbox.quota import Quota, make_quota
from flowreaper.sandbox.service import Service
from flowreaper.sandbox.template import Template


class Instance(NamedTuple):
    """A channel instance, which has a customer space of its own; the account's own has an empty `cust_space_id`."""

    instance_id: str
    name: str
    cust_space_id: str
    channel_type: str = "WHATSAPP"
    state: str = "NORMAL"
    submit_time: str = "2025-03-01 09:30:00"

    def summary(self) -> dict[str, object]:
        """Return what ListInstance tells of it."""
        return {
            "InstanceId": self.instance_id,
            "InstanceName": self.name,
            "CustSpaceId": self.cust_space_id,
            "ChannelType": self.channel_type,
            "State": self.state,
            "SubmitTime": self.submit_time,
        }


@dataclass(slots=True)
class Account:
    """One account; each operation has a quota of its own."""

    account_id: str
    service: Service
    window: str
    rate: int
    templates: list[Template] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    quotas: dict[str, Quota] = field(default_factory=dict)

    def admits(self, operation: str, at_s: float) -> bool:
        """Return whether the quota of an operation has room for a call, and count it if it has."""
        quota = self.quotas.get(operation)
        if quota is None:
            quota = self.quotas[operation] = make_quota(self.window, self.rate)
        return quota.admits(at_s)

    def listed_instances(self) -> list[Instance]:
        """Return its instances; of an account that was given none, one for each space that is known."""
        return self.instances or [
            Instance(f"instance-{number}", f"Space {space}" if space else "Own space", space)
            for number, space in enumerate(self.service.spaces(), 1)
        ]


class Accounts:
    """The accounts by access key; keys of one account share its flows and its quotas."""

    def __init__(self, accounts: Iterable[Account], keys: Mapping[str, str]) -> None:
        self._by_id = {account.account_id: account for account in accounts}
        self._keys = keys
        self._only = next(iter(self._by_id.values())) if len(self._by_id) == 1 else None

    def __getitem__(self, account_id: str) -> Account:
        return self._by_id[account_id]

    def of(self, authorization: str) -> Account:
        """Return the account of a request whose Authorization was verified."""
        if self._only is not None:
            return self._only  # nearly every sandbox: the quickest way
        key = authorization.partition("Credential=")[2].partition(",")[0]
        return self._by_id[self._keys[key]]
