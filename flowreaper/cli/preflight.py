"""What is checked before a run asks or sends: paths, other jobs, another access key, unusual settings."""

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowreaper.cli.unmatched import unknown_codes
from flowreaper.client.actions import CallerIdentity
from flowreaper.client.endpoint import DEFAULT_REGION, region_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.settings import DEFAULT_RATE, Settings
from flowreaper.model import UNFINISHED, Credentials, State
from flowreaper.producer.sources import Source
from flowreaper.store.sqlite.companions import companion_named
from flowreaper.store.sqlite.descriptors import reading
from flowreaper.store.sqlite.file_guard import check_place, has_run
from flowreaper.store.sqlite.reader import is_begun, last_access_key, left_elsewhere, read_notes, read_status
from flowreaper.store.sqlite.run_mark import require_log

_SHOWN = 3
_TEMPORARY = "STS."  # what the access keys of roles begin with

Warned = tuple[str, Mapping[str, Any]]
"""A log event's name and its fields."""


def check_paths(sources: Sequence[Source], checkpoint: Path, others: Mapping[str, str | Path | None]) -> None:
    """Refuse a file that is named for two purposes, and one that SQLite makes beside the checkpoint.

    `others` are the paths of further options by their flags; None and ``-`` are no file.

    Raises:
        ConfigurationError: it names the option and the path.
    """
    given = [("a SOURCE", source.path) for source in sources if source.path]
    taken = {Path(path).resolve(): what for what, path in given}
    for option, path in (("--checkpoint", checkpoint), *others.items()):
        if not path or path == "-":
            continue
        whole = Path(path).resolve()
        if whole in taken:
            raise ConfigurationError(
                f"{option} {printable(str(path))} is {taken[whole]} too: give it a file of its own"
            )
        taken[whole] = "the checkpoint" if option == "--checkpoint" else f"the file of {option}"
    for what, path in (*given, *others.items()):
        if path and path != "-" and (file := companion_named(checkpoint, Path(path))):
            raise ConfigurationError(
                f"{what} {printable(str(path))} is {printable(file)}, a file that SQLite makes and removes"
                f" beside the checkpoint {printable(str(checkpoint))}: give it another name, or name another"
                " checkpoint with -c"
            )


def names_twice(path: Path | None, options: Mapping[str, Any]) -> bool:
    """Return whether ``flowreaper delete`` names this path, or makes it, for something else; None is no path."""
    if path is None:
        return False
    named = [*options["source"], options["plan"], options["checkpoint"], options["results"]]
    named += [f"{Path(source).name}.ckpt" for source in options["source"]]
    return any(
        path.resolve() == Path(other).resolve() or companion_named(Path(other), path)
        for other in named
        if other
    )


def check_checkpoint(checkpoint: Path, *, accept_lost_log: bool) -> None:
    """Refuse, before anybody is asked, a checkpoint that a run would refuse for what lies there or beside it.

    Raises:
        CheckpointRefusedError: it is no file of its own, or its log is lost or foreign.
    """
    if not check_place(checkpoint) or has_run(checkpoint):
        return
    with contextlib.suppress(OSError), reading(checkpoint):  # opening it reports what cannot be read
        require_log(checkpoint, accept_lost=accept_lost_log)


def refuse_another_job(sources: Sequence[Source], checkpoint: Path) -> None:
    """Refuse a checkpoint that holds unfinished flows of other sources: another file of the same name began it.

    For a checkpoint that the user did not name.

    Raises:
        ConfigurationError: it holds such flows, or is no checkpoint.
        CheckpointError: it cannot be read.
    """
    mine = {os.path.realpath(s.path) for s in sources if s.path} | {s.name for s in sources}
    others = left_elsewhere(
        checkpoint,
        lambda name: name in mine or os.path.realpath(name) in mine,
        UNFINISHED,
    )
    if others:
        name = printable(str(checkpoint))
        raise ConfigurationError(
            f"the checkpoint {name} holds unfinished flows of other sources: {_listed(others)}. To keep the jobs apart,"
            f" name another checkpoint (-c NEW); to add to that job, name its checkpoint (-c {name}): only flows of the"
            " present input are called"
        )


def former_key(
    checkpoint: Path, credentials: Credentials, caller: CallerIdentity | None = None
) -> str | None:
    """Return the masked access key that the checkpoint was last used with, where that may be another account's."""
    account = read_notes(checkpoint, "account").get("account")
    if caller and account == caller.account:
        return None  # the account's keys may be rotated
    former = last_access_key(checkpoint) or credentials.masked_id
    # A role has another key each hour. That it is the same account's is no guess where the account is known.
    same_role = bool(credentials.security_token) and former.startswith(_TEMPORARY) and not account
    return None if former == credentials.masked_id or same_role else former


def refuse_unnamed_account(checkpoint: Path, former: str | None, caller: CallerIdentity | None) -> None:
    """Refuse another key than the `former` one where nobody says whose it is, and the checkpoint knows its account.

    Raises:
        ConfigurationError: to a key of another account every flow looks gone.
    """
    if former is None or caller:
        return
    if account := read_notes(checkpoint, "account").get("account"):
        raise ConfigurationError(
            f"the checkpoint {printable(str(checkpoint))} belongs to the account {printable(account)}, and nobody can"
            f" say with --no-identity whether this access key does; the last one was {printable(former)}. To a key of"
            " another account every flow looks gone: leave out --no-identity, or use that key"
        )


def has_unread_input(stdin: int) -> bool:
    """Return whether a descriptor is a pipe, a socket or a file: somebody may believe that it is read."""
    try:
        mode = os.fstat(stdin).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def counts_before(checkpoint: Path) -> Mapping[State, int]:
    """Return the checkpoint's flows by state, empty where there is none; raises ConfigurationError, CheckpointError."""
    begun = checkpoint.exists() and checkpoint.stat().st_size > 0
    return read_status(checkpoint).states if begun else {}


def unknown_retry_codes(checkpoint: Path, settings: Settings) -> list[str]:
    """Return a sentence about each code to retry that no flow has; raises ConfigurationError, CheckpointError."""
    if not settings.retry_codes or settings.sandbox or not is_begun(checkpoint):
        return []
    return unknown_codes(settings.retry_codes, printable(str(checkpoint)), read_status(checkpoint))


def refuse_too_many(settings: Settings, to_call: int) -> None:
    """Refuse more flows than may be called, where that is a number: the run counts what a share is reckoned from.

    Raises:
        TooManyFlowsError: these are more.
    """
    if settings.max_delete and settings.max_delete.percent is None:
        settings.max_delete.require(to_call)


def unusual_settings(settings: Settings, region: str) -> list[Warned]:
    """Return warnings of settings that are allowed, but outside of what the service documents."""
    warnings: list[Warned] = []
    if settings.rate > DEFAULT_RATE:
        warnings.append(("rate.above_documented_quota", {"rate": settings.rate, "documented": DEFAULT_RATE}))
    if region != DEFAULT_REGION and settings.endpoint == region_endpoint(region):
        warnings.append(("region.undocumented", {"endpoint": settings.endpoint.url}))
    return warnings


def _listed(flows: Mapping[str, int]) -> str:
    shown = ", ".join(f"{count:,} of {printable(name)}" for name, count in list(flows.items())[:_SHOWN])
    return shown + (f" and of {len(flows) - _SHOWN:,} more" if len(flows) > _SHOWN else "")
