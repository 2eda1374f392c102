"""The safeguards of a run or a job, in words. Pure."""

from flowreaper.escaping import printable
from flowreaper.job.safeguard_settings import SafeguardSettings


def safeguards_in_words(safeguards: SafeguardSettings) -> str:
    """Say which safeguards there are; empty where there is none."""
    parts = []
    if safeguards.only_drafts:
        parts.append("only drafts")
    if safeguards.keep_used:
        parts.append("none that a template opens")
    if safeguards.backup:
        parts.append(f"each saved first, in {printable(str(safeguards.backup))}")
    if safeguards.canary:
        parts.append(f"the first {safeguards.canary:,} proven")
    return "; ".join(parts)
