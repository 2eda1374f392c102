"""Errors as the command shows them: the core's message, with the flags and commands that help."""

from collections.abc import Mapping

from flowreaper.errors import Advice, FlowreaperError

_ADVICE: Mapping[Advice, str] = {
    Advice.WAIT_LONGER: "To wait longer: --outage-limit",
    Advice.RETRY_REFUSED: "If the account is the problem, fix it, then run again with --retry refused."
    " If only these flows are, run again with --max-consecutive-refusals 0",
    Advice.ACCEPT_ABSENCES: "For flows of a space: --cust-space-id. If the flows really are gone, run again with"
    " --max-consecutive-absent 0",
    Advice.ACCEPT_LOST_LOG: "To accept that: --accept-lost-log",
    Advice.RETRY_UNSAVED: "Then take these flows again with --retry-code Backup.NotSaved",
    Advice.EXPORT_RESULTS: "To write it out again: `flowreaper results`",
    Advice.OTHER_RESULTS: "Name another file with --results",
    Advice.NEW_RESULTS: "Name a new file with --results, or with -c the checkpoint that began this one",
    Advice.OTHER_CHECKPOINT: "Name another checkpoint with -c",
    Advice.KNOWN_CHECKPOINT: "Name the file that `flowreaper delete` printed",
    Advice.NAME_PROFILE: "To name a profile: --profile",
    Advice.TREAT_CODE: "To treat the code so: --treat CODE=refused",
    Advice.NAME_ID_FIELD: "Name the right one with --id-field",
    Advice.NAME_SPACE_FIELD: "Name the right one with --space-field",
    Advice.READ_AS_TEXT: "If each line is a bare id: --input-format text",
    Advice.READ_AS_JSON_LINES: "If each line is a flow: --input-format jsonl",
    Advice.USE_PLAN: "Name it with --plan",
    Advice.REPLACE_PLAN: "To replace it: --force",
    # A job keeps its safeguards: to leave out their options would change nothing.
    Advice.WITHOUT_STATUS: "Without this permission: --no-only-drafts --no-backup --canary 0, to delete flows"
    " unseen and unsaved; with `flowreaper list`, leave out --status; with `flowreaper verify`, --by-listing",
    Advice.WITHOUT_LOOK: "Without this permission: --no-look, which also makes drafts of flows that are still there."
    " To name only flows that are gone: --flow-id",
    Advice.WITHOUT_TEMPLATES: "Without this permission: --no-keep-used, which also deletes drafts that a template"
    " names; with `flowreaper list`, leave out --unused",
    Advice.WITHOUT_JSON: "Without this permission: --no-backup, which deletes flows that are not saved",
    Advice.WITHOUT_LIST: "Without this permission: give `flowreaper delete` ids from another source, and --max-delete"
    " a number; with `flowreaper verify`, leave out --by-listing",
    Advice.WITHOUT_SPACES: "Without this permission: name each space with --cust-space-id",
    Advice.ALLOW_MORE: "If all of them are meant: raise --max-delete",
    Advice.WITHOUT_IDENTITY: "To leave the account's number unchecked: --no-identity",
    Advice.VERIFY_FIRST: "`flowreaper verify` shows which flows are still there; `flowreaper delete` would go on with"
    " other flows",
}

_FLAGS = {
    "rate": "--rate",
    "read_rate": "--read-rate",
    "concurrency": "--concurrency",
    "timeout_s": "--timeout",
    "max_attempts": "--max-attempts",
    "outage_limit_s": "--outage-limit",
    "max_refusals": "--max-consecutive-refusals",
    "max_absent": "--max-consecutive-absent",
    "limit": "--limit",
    "canary": "--canary",
    "backup": "--backup",
    "max_duration_s": "--max-duration",
    "stop_at": "--stop-at",
    "treat": "--treat",
    "max_delete": "--max-delete",
    "expect_account": "--expect-account",
}
"""The flag of each setting that an error may name."""


def shown(error: BaseException) -> str:
    """Return an error's message with the flags of this command line, and what to do about it."""
    text = str(error)
    if not isinstance(error, FlowreaperError):
        return text
    if flag := _FLAGS.get(error.setting):
        text = flag + text.removeprefix(error.setting)
    return text if error.advice is None else f"{text.removesuffix('.')}. {_ADVICE[error.advice]}"
