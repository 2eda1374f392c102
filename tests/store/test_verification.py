"""Which verifications of a job say the most."""

from dataclasses import replace

import pytest

from flowreaper.store.verification import (
    CheckResult,
    Verification,
    VerificationMethod,
    latest_verifications,
)

WHOLE = Verification(
    at_ms=1,
    method=VerificationMethod.LOOK,
    complete=True,
    known=42,
    wanted=42,
    counts={CheckResult.GONE: 42},
)
LATER = replace(WHOLE, at_ms=2)
SAMPLE = replace(WHOLE, at_ms=3, wanted=3, counts={CheckResult.GONE: 3})
CUT_SHORT = replace(WHOLE, at_ms=4, complete=False, counts={CheckResult.GONE: 7})


@pytest.mark.parametrize(
    ("verifications", "shown"),
    [
        ((), ()),
        ((WHOLE,), (WHOLE,)),
        ((WHOLE, LATER), (LATER,)),
        ((SAMPLE, WHOLE), (WHOLE,)),
        ((WHOLE, LATER, SAMPLE), (SAMPLE, LATER)),
        ((WHOLE, SAMPLE, CUT_SHORT), (CUT_SHORT, WHOLE)),
        ((SAMPLE, CUT_SHORT), (CUT_SHORT,)),
    ],
)
def test_a_sample_or_one_that_was_cut_short_hides_no_earlier_whole_one(
    verifications: tuple[Verification, ...], shown: tuple[Verification, ...]
) -> None:
    assert latest_verifications(verifications) == shown
