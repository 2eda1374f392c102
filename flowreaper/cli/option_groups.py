"""In which group of its help each option of ``flowreaper delete`` is, the most important first."""

from collections.abc import Mapping

DELETE: Mapping[str, tuple[str, ...]] = {
    "What": (
        "checkpoint",
        "plan",
        "cust_space_id",
        "limit",
        "max_duration",
        "stop_at",
        "retry",
        "retry_code",
        "input_format",
        "id_field",
        "space_field",
        "id_pattern",
    ),
    "Pace": ("rate", "read_rate", "concurrency", "max_attempts", "timeout"),
    "Safety": (
        "only_drafts",
        "keep_used",
        "backup",
        "no_backup",
        "canary",
        "dry_run",
        "sandbox",
        "yes",
        "expect_account",
        "max_delete",
        "max_consecutive_refusals",
        "max_consecutive_absent",
        "outage_limit",
        "accept_lost_log",
    ),
    "Output": (
        "results",
        "summary_json",
        "progress",
        "progress_interval",
        "log_level",
        "log_format",
    ),
    "Service": ("endpoint", "region", "profile", "no_identity", "sts_endpoint", "treat"),
}
"""Heading to parameters. A test compares it with the command."""
