"""The facts of a job and of a run as one JSON document: what ``status --json`` and ``--summary-json`` write.

Schema 1. Times are UTC, ISO 8601; what is not known is null. Of a job:

    schema, checkpoint, endpoint, sandbox, access_key (masked)
    account, arn                the account's number, and who of it made the calls of the last run; null: nobody asked
    safeguards                  the job's: only_drafts, keep_used; backup, the folder or null
    total, states               flows and invalid lines, by state
    inferred, in_doubt          deletions without a confirmation; unfinished flows that had a call without a reply
    codes                       for each final state its codes and their counts; "" is none
    causes                      why flows ended other than by a confirmed deletion, each with state, code, flows,
                                meaning, remedy, sample (three flows) and the commands list, export, retry
    sources, spaces             flows by source and by space; "" is the account's own space
    resume                      the command that calls everything unfinished; null where nothing is left or a run is on
    live, run, under_way        whether a run has the checkpoint, which, and how many flows it has claimed
    runs                        number, started_at, ended_at, seconds, ending, meaning, error, calls, calls_per_s,
                                throttled, counts, rate, version, host, pid, access_key; ending is null for a run that
                                goes on or was cut off

    remaining                   how many flows a verification found there although they are deleted or absent
    verifications               what each verification found: at, method (look or listing), complete, known (deleted or
                                absent flows), wanted (of these to be checked), checked, remain, proves (nothing is
                                there that should be gone, nothing was left open), checks (flows by what was found)

Of several jobs: schema, checkpoints (a list of these). A summary has these, unless its checkpoint cannot be read, and
of its run:

    ending, meaning             null where no run began
    exit_status, error
    this_run                    outcomes of this run by state
    calls, calls_per_s, throttled, seconds, repeated
    left, unlisted              unfinished flows that the run would have taken, that its input does not list
    found_nothing, resume       what to check where everything was absent; the command that goes on

``verify --json`` writes schema, checkpoint, exit_status, error, what a verification found, and the commands resume and
delete_remaining, null where there is nothing to do.

A command that ended before a run began has schema, checkpoint, ending, meaning, exit_status and error alone; one that
has not ended, or was killed, the same with an exit_status of null.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowreaper.cli.advice import shown
from flowreaper.cli.cause_commands import cause_commands
from flowreaper.cli.terminal.summary import RunEnd
from flowreaper.cli.terminal.verify import VerifyCommands
from flowreaper.client.meanings import meaning_of
from flowreaper.job.safeguard_settings import SafeguardSettings
from flowreaper.model import FINAL, UNFINISHED, Cause, State
from flowreaper.store.history import PastRun
from flowreaper.store.overview import Overview
from flowreaper.store.records import utc_time
from flowreaper.store.verification import CheckResult, Verification, Verified

SCHEMA = 1
"""The version of these documents: it grows when a name goes or changes its sense, not when one is added."""


def job_document(overview: Overview, checkpoint: Path, delete: str) -> dict[str, Any]:
    """Return the facts of a job; `delete` as in `cause_commands`."""
    status = overview.status
    unfinished = sum(status.states.get(state, 0) for state in UNFINISHED)
    return {
        "schema": SCHEMA,
        "checkpoint": str(checkpoint),
        "endpoint": status.endpoint,
        "sandbox": status.sandbox,
        "access_key": status.access_key,
        "account": status.account or None,
        "arn": status.arn or None,
        "safeguards": _safeguards(status.safeguards),
        "total": sum(status.states.values()),
        "states": by_state(status.states, State),
        "inferred": status.inferred,
        "in_doubt": status.in_doubt,
        "resume": delete if delete and unfinished and not status.live else None,
        "live": status.live,
        "run": status.run or None,
        "under_way": status.under_way,
        "codes": {state.value: codes for state, codes in status.codes.items() if state.final},
        "causes": [_cause(cause, checkpoint, delete) for cause in overview.causes],
        "sources": dict(overview.sources),
        "spaces": dict(overview.spaces),
        "runs": [run_document(run) for run in overview.runs],
        "remaining": overview.remaining.flows,
        "verifications": [verification_document(each) for each in overview.verifications],
    }


def _safeguards(notes: Mapping[str, str]) -> dict[str, Any]:
    safeguards = SafeguardSettings().after(notes)
    return {
        "only_drafts": bool(safeguards.only_drafts),
        "keep_used": bool(safeguards.keep_used),
        "backup": str(safeguards.backup) if safeguards.backup else None,
    }


def summary_document(end: RunEnd, overview: Overview | None, status: int) -> dict[str, Any]:
    """Return the facts of a run that has ended, and of its job where it could be read; `status` is the exit status."""
    summary = end.summary
    job = {} if overview is None else job_document(overview, end.checkpoint, end.delete)
    return {
        "schema": SCHEMA,
        "checkpoint": str(end.checkpoint),
        **job,
        "ending": summary.ending,
        "meaning": summary.ending.meaning,
        "exit_status": int(status),
        "error": shown(summary.error) if summary.error else None,
        "this_run": by_state(summary.this_run, FINAL),
        "calls": summary.calls,
        "calls_per_s": round(summary.calls_per_s, 2),
        "throttled": summary.throttled,
        "seconds": round(summary.seconds, 1),
        "repeated": summary.repeated,
        "left": summary.left,
        "unlisted": summary.unlisted,
        "found_nothing": end.found_nothing or None,
        "resume": end.next_command or None,
    }


def verification_document(verification: Verification) -> dict[str, Any]:
    """Return what one verification found."""
    v = verification
    return {
        "at": utc_time(v.at_ms),
        "method": v.method.value,
        "complete": v.complete,
        "known": v.known,
        "wanted": v.wanted,
        "checked": v.checked,
        "remain": v.remain,
        "proves": v.proves,
        "checks": {check.value: v.count(check) for check in CheckResult},
    }


def verification_summary(
    verified: Verified, checkpoint: Path, commands: VerifyCommands, status: int
) -> dict[str, Any]:
    """Return the facts of a verification that has ended; `status` is the exit status."""
    v = verified.verification
    return {
        "schema": SCHEMA,
        "checkpoint": str(checkpoint),
        "exit_status": int(status),
        "error": shown(verified.error) if verified.error else None,
        **verification_document(v),
        "resume": commands.resume if v.count(CheckResult.REOPENED, CheckResult.SETTLED_PENDING) else None,
        "delete_remaining": commands.delete if v.count(CheckResult.REMAINS) else None,
    }


def refusal_document(checkpoint: Path | None, error: str, status: int | None) -> dict[str, Any]:
    """Return the facts of a command that ended before a run began; None: it has not ended."""
    return {
        "schema": SCHEMA,
        "checkpoint": None if checkpoint is None else str(checkpoint),
        "ending": None,
        "meaning": None,
        "exit_status": None if status is None else int(status),
        "error": error,
    }


def run_document(run: PastRun) -> dict[str, Any]:
    """Return the facts of one run of a job's history."""
    return {
        "number": run.number,
        "started_at": utc_time(run.started_at_ms),
        "ended_at": None if run.ended_at_ms is None else utc_time(run.ended_at_ms),
        "seconds": round(run.seconds, 1),
        "ending": run.ending,
        "meaning": run.ending.meaning if run.ending else None,
        "error": run.error or None,
        "calls": run.calls,
        "calls_per_s": round(run.calls_per_s, 2),
        "throttled": run.throttled,
        "counts": by_state(run.counts, FINAL),
        "rate": run.rate,
        "version": run.version,
        "host": run.host,
        "pid": run.pid,
        "access_key": run.access_key,
    }


def by_state(counts: Mapping[State, int], states: Any) -> dict[str, int]:
    """Return the counts of all these states by name, 0 for one that does not occur."""
    return {state.value: counts.get(state, 0) for state in states}


def _cause(cause: Cause, checkpoint: Path, delete: str) -> dict[str, Any]:
    commands = cause_commands(cause, checkpoint, delete)
    said = meaning_of(cause.state, cause.code)
    return {
        "state": cause.state,
        "code": cause.code or None,
        "flows": cause.flows,
        "meaning": said.meaning,
        "remedy": said.remedy,
        "sample": [
            {"flow_id": flow.flow_id, "cust_space_id": flow.cust_space_id or None} for flow in cause.sample
        ],
        "list": commands.list,
        "export": commands.export,
        "retry": commands.retry,
    }
