"""Which safeguards a run has. Pure."""

from dataclasses import dataclass
from pathlib import Path

from flowreaper.errors import ConfigurationError

CANARY_NOTE = "canary"
"""The name of the job's note of how many first deletions were proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeguardSettings:
    """Which safeguards a run has. `keep_used` None: as `only_drafts`.

    `only_drafts`: GetFlow must call a flow a draft. `keep_used`: no message template may open it. `backup`: it is saved
    in this folder first. `canary`: this many deletions are proven before the rest starts, 0: none.
    """

    only_drafts: bool = False
    keep_used: bool | None = None
    backup: Path | None = None
    canary: int = 0

    def __post_init__(self) -> None:
        if self.canary < 0:
            raise ConfigurationError(f"canary must be 0 or more (flows), not {self.canary}", setting="canary")

    @property
    def keeps_used(self) -> bool:
        """Whether flows that a template opens are kept."""
        return self.only_drafts if self.keep_used is None else self.keep_used

    @property
    def looks(self) -> bool:
        """Whether flows are looked at before they are deleted."""
        return self.only_drafts or self.keeps_used or self.backup is not None

    @property
    def any(self) -> bool:
        """Whether there is any safeguard."""
        return self.looks or self.canary > 0
