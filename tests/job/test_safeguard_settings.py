"""Which safeguards a run has: those that are named, and those that its job began with."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.errors import CheckpointRefusedError, ConfigurationError
from flowreaper.job.safeguard_settings import BACKUP_NOTE, FIRST_NOTE, SAFEGUARDS_NOTE, SafeguardSettings

NOTHING_NAMED = SafeguardSettings()
choices = st.sampled_from([None, True, False])
begun = st.builds(
    SafeguardSettings,
    only_drafts=choices,
    keep_used=choices,
    backup=st.sampled_from([None, Path("/saved"), Path("saved")]),
    canary=st.sampled_from([None, 0, 5]),
)


def test_a_job_begins_without_safeguards() -> None:
    settled = NOTHING_NAMED.after({})
    assert not settled.any
    assert settled.notes() == {SAFEGUARDS_NOTE: "", BACKUP_NOTE: "", FIRST_NOTE: ""}


def test_a_job_that_deletes_only_drafts_keeps_those_in_use_unless_that_is_waived() -> None:
    assert SafeguardSettings(only_drafts=True).after({}).keep_used
    assert not SafeguardSettings(only_drafts=True, keep_used=False).after({}).keep_used


@given(first=begun)
def test_a_run_that_names_none_has_those_of_the_job(first: SafeguardSettings) -> None:
    settled = first.after({})
    later = NOTHING_NAMED.after(settled.notes())
    assert (later.only_drafts, later.keep_used) == (settled.only_drafts, settled.keep_used)
    assert later.canary == settled.canary
    assert later.backup == (settled.backup and settled.backup.absolute())
    assert later.canary == settled.canary
    assert later.notes() == settled.notes()


@given(first=begun, second=begun)
def test_what_a_run_names_comes_first(first: SafeguardSettings, second: SafeguardSettings) -> None:
    settled = second.after(first.after({}).notes())
    if second.only_drafts is not None:
        assert settled.only_drafts == second.only_drafts
    if second.keep_used is not None:
        assert settled.keep_used == second.keep_used
    if second.canary is not None:
        assert settled.canary == second.canary
    if second.backup:
        assert settled.backup == second.backup


def test_a_waived_safeguard_stays_waived() -> None:
    notes = SafeguardSettings(only_drafts=True, backup=Path("/saved")).after({}).notes()
    waived = SafeguardSettings(only_drafts=False, keep_used=False, no_backup=True).after(notes)
    assert not waived.looks
    assert not NOTHING_NAMED.after(waived.notes()).looks


def test_a_job_that_gets_only_drafts_later_keeps_those_in_use_too() -> None:
    notes = SafeguardSettings(backup=Path("/saved")).after({}).notes()
    assert SafeguardSettings(only_drafts=True).after(notes).keep_used


def test_a_safeguard_of_a_newer_flowreaper_is_never_dropped() -> None:
    with pytest.raises(CheckpointRefusedError, match="no_fridays"):
        NOTHING_NAMED.after({SAFEGUARDS_NOTE: "only_drafts no_fridays"})


@pytest.mark.parametrize("noted", ["", "many", "-5", "\u0665", "9" * 5000])
def test_a_note_that_holds_no_number_holds_back_nothing(noted: str) -> None:
    assert NOTHING_NAMED.after({FIRST_NOTE: noted}).canary == 0


@pytest.mark.parametrize("options", [{"canary": -1}, {"backup": Path("b"), "no_backup": True}])
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        SafeguardSettings(**options)  # type: ignore[arg-type]  # wrong on purpose
