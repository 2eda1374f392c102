"""Which input is counted before the first call."""

import tempfile

import pytest

from flowreaper.cli.input import Input
from flowreaper.producer.formats import InputSettings
from flowreaper.producer.sources import Source


@pytest.mark.parametrize(("size", "is_small"), [(1000, True), (1_000_000, False)])
def test_a_source_that_has_no_path_is_measured_by_its_own_descriptor(size: int, *, is_small: bool) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        source = Source("plan.json", "", rereadable=True, fd=file.fileno())
        assert Input([source], InputSettings()).is_small() is is_small
