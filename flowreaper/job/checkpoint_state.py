"""What a run needs to know of its checkpoint when it begins, and what it reports of it when it ends."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flowreaper.errors import RunError
from flowreaper.job.safeguard_settings import (
    CANARY_NOTE,
    SETTINGS_NOTES,
    SafeguardSettings,
)
from flowreaper.job.settings import Settings
from flowreaper.limiter.saved_pace import NOTE
from flowreaper.model import Cause, Flow, State
from flowreaper.store.history import PastRun
from flowreaper.store.sqlite.checkpoint import Checkpoint

_REGARDLESS = "absences_regardless"
"""The note that a run was told not to stop where nothing is there: what it found absent is accepted."""

_SOUGHT = 10_000
# Unfinished flows that the input is searched for before it is read. They are the ones that were read first.


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What earlier runs left.

    `left_claimed` are rows that a crash left claimed: they are called first. `has_answer` and `has_deleted` say whether
    the service answered, and deleted a flow; `absent` are the rows last found absent, `in_doubt` counts the unfinished
    flows that had a call without a reply.
    """

    left_claimed: Sequence[int] = ()
    has_answer: bool = False
    has_deleted: bool = False
    absent: Sequence[int] = ()
    in_doubt: int = 0


@dataclass(frozen=True, slots=True)
class StartState:
    """What a checkpoint holds when a run begins.

    `to_call` counts the flows that will be called for sure. Where only listed flows are called, these are not known
    yet, and the input is searched for `sought`. `pace` and `proven` are notes of earlier runs, and
    `safeguards` are those of the job.
    """

    counts: dict[State, int]
    to_call: int
    sought: Sequence[Flow]
    pace: str
    proven: str
    safeguards: SafeguardSettings
    before: Before
    run: PastRun


def prepare(checkpoint: Checkpoint, settings: Settings, run: PastRun, *, listed: bool) -> StartState:
    """Make a checkpoint ready for a run: what a crash left claimed is in doubt, what is retried is pending again.

    `run` is the run that begins; it is kept in the history and gets its number. `listed`: the run calls only flows that
    its input lists. A rehearsal begins with an empty checkpoint.

    Raises:
        CheckpointError: the checkpoint cannot be read or written.
    """
    if settings.sandbox:
        checkpoint.clear()  # the embedded sandbox has forgotten all that an earlier rehearsal did
    left_claimed = checkpoint.mark_claimed_in_doubt()
    if listed:
        checkpoint.take_listed(settings.taken_again)
    else:
        checkpoint.reopen(settings.taken_again)
    counts = checkpoint.counts()
    return StartState(
        counts,
        to_call=0 if listed else counts.get(State.PENDING, 0) + counts.get(State.CLAIMED, 0),
        sought=checkpoint.unfinished(_SOUGHT) if listed else [],
        pace=checkpoint.noted(NOTE),
        proven=checkpoint.noted(CANARY_NOTE),
        safeguards=_safeguards(checkpoint, settings),
        before=Before(
            left_claimed=[] if listed else left_claimed,
            has_answer=checkpoint.outcomes.any_answered(),
            has_deleted=(has_deleted := checkpoint.outcomes.any_deleted()),
            absent=[] if has_deleted else _absent_before(checkpoint, settings),
            in_doubt=checkpoint.in_doubt(),
        ),
        run=replace(run, number=checkpoint.history.begin(run)),
    )


def _safeguards(checkpoint: Checkpoint, settings: Settings) -> SafeguardSettings:
    """Return the run's safeguards: those that its job had before, and what this run changes; note them."""
    noted = {name: checkpoint.noted(name) for name in SETTINGS_NOTES}
    safeguards = settings.safeguards.after(noted if any(noted.values()) else {})
    for name, value in safeguards.notes().items():
        if value != noted[name]:
            checkpoint.note(name, value)
    return safeguards


def _absent_before(checkpoint: Checkpoint, settings: Settings) -> list[int]:
    """Return the flows that earlier runs found absent; none where the user accepts that, or wants them called again."""
    if settings.max_absent == 0:
        checkpoint.note(_REGARDLESS, "yes")
    if checkpoint.noted(_REGARDLESS) or State.ABSENT in settings.taken_again.states:
        return []
    return checkpoint.outcomes.latest_absent(settings.max_absent - 1)


@dataclass(frozen=True, slots=True)
class EndState:
    """What a checkpoint holds at a run's end; `unlisted` is None where the input was not read to its end."""

    counts: dict[State, int]
    in_doubt: int = 0
    unlisted: int | None = None
    never_deleted: bool = False
    causes: Sequence[Cause] = ()


def read_end(
    checkpoint: Checkpoint, before: Mapping[State, int], recorded: Counter[State], *, read_all: bool
) -> EndState:
    """Return what a checkpoint holds; where it cannot be read, what it held `before` and what was `recorded` since."""
    try:
        return EndState(
            checkpoint.counts(),
            checkpoint.in_doubt(),
            checkpoint.unlisted() if read_all else None,
            not checkpoint.outcomes.any_deleted(),
            checkpoint.outcomes.causes(),
        )
    except RunError:
        return EndState(dict(Counter(before) + recorded))
