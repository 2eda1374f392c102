"""Which safeguards a run has, and which its job had before. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flowreaper.errors import CheckpointRefusedError, ConfigurationError
from flowreaper.escaping import printable

CANARY_NOTE = "canary"
"""The name of the job's note of how many first deletions were proven."""

CANARY_ASKED_NOTE = "canary_asked"
"""The name of the job's note of how many first deletions are to be proven; empty: none."""

SAFEGUARDS_NOTE = "safeguards"
"""The name of the job's note of its safeguards: the words below, with blanks between them."""

BACKUP_NOTE = "backup"
"""The name of the job's note of the folder that its flows are saved in, as a whole path; empty: they are not."""

FIRST_NOTE = "first_to_prove"
"""The name of the job's note of how many first deletions are to be proven; empty: none."""

NOTES = (SAFEGUARDS_NOTE, BACKUP_NOTE, FIRST_NOTE)
"""The names of the notes that `SafeguardSettings.after` reads."""

_MOST_DIGITS = 18
_ONLY_DRAFTS, _KEEP_USED = "only_drafts", "keep_used"
_MOST_DIGITS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeguardSettings:
    """Which safeguards a run has. None is "as the job had before"; a job that begins has none.

    `only_drafts`: GetFlow must call a flow a draft. `keep_used`: no message template may open it; a job that begins
    with `only_drafts` has that too. `backup`: it is saved in this folder first; `no_backup`: it is not, whatever the
    job did before. `canary`: this many deletions are proven before the rest starts, 0: none; a job
    whose canary failed, or was cut off, has it again.

    Raises:
        ConfigurationError: `canary` is below 0, or there is a folder although flows are not to be saved.
    """

    only_drafts: bool | None = None
    keep_used: bool | None = None
    backup: Path | None = None
    no_backup: bool = False
    canary: int | None = None

    def __post_init__(self) -> None:
        if self.canary is not None and self.canary < 0:
            raise ConfigurationError(f"canary must be 0 or more (flows), not {self.canary}", setting="canary")
        if self.backup and self.no_backup:
            raise ConfigurationError(
                f"backup {printable(str(self.backup))} and no backup contradict each other: leave out one of them",
                setting="backup",
            )

    def after(self, notes: Mapping[str, str]) -> "SafeguardSettings":
        """Return the safeguards with what is left open taken from the notes of the job's earlier runs.

        Raises:
            CheckpointRefusedError: the job has safeguards that this flowreaper does not know.
        """
        words = notes.get(SAFEGUARDS_NOTE, "").split()
        if unknown := set(words) - {_ONLY_DRAFTS, _KEEP_USED}:
            raise CheckpointRefusedError(
                f"the job has a safeguard that this flowreaper does not know ({printable(min(unknown))}): use the"
                " flowreaper that began it, or a newer one"
            )
        only_drafts = _ONLY_DRAFTS in words if self.only_drafts is None else self.only_drafts
        keep_used = self.keep_used
        if keep_used is None:
            begins = SAFEGUARDS_NOTE not in notes or _ONLY_DRAFTS not in words
            keep_used = _KEEP_USED in words or (only_drafts and begins)
        kept = notes.get(BACKUP_NOTE, "")
        backup = self.backup or (Path(kept) if kept and not self.no_backup else None)
        return SafeguardSettings(
            only_drafts=only_drafts,
            keep_used=keep_used,
            backup=backup,
            no_backup=backup is None,
            canary=number_of(notes.get(FIRST_NOTE, "")) if self.canary is None else self.canary,
        )

    def notes(self) -> dict[str, str]:
        """Return what a job notes of its safeguards, once `after` has settled them."""
        words = [
            word for word, has in ((_ONLY_DRAFTS, self.only_drafts), (_KEEP_USED, self.keep_used)) if has
        ]
        # A run in another folder must find the same place.
        backup = str(self.backup.absolute()) if self.backup else ""
        first = str(self.canary) if self.canary else ""
        return {SAFEGUARDS_NOTE: " ".join(words), BACKUP_NOTE: backup, FIRST_NOTE: first}

    @property
    def looks(self) -> bool:
        """Whether flows are looked at before they are deleted."""
        return bool(self.only_drafts or self.keep_used or self.backup)

    @property
    def any(self) -> bool:
        """Whether there is any safeguard."""
        return self.looks or bool(self.canary)


def number_of(noted: str) -> int:
    """Return the number of a job's note, 0 where it holds none: the file may be somebody else's."""
    return int(noted) if noted.isascii() and noted.isdigit() and len(noted) <= _MOST_DIGITS else 0
