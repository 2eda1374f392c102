import gc
from collections.abc import Iterator

import pytest

from flowreaper.cli.gc_tuning import rare_collections


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """Settings that are neither the interpreter's nor the command's."""
    before = gc.get_threshold()
    gc.set_threshold(500, 7, 9)
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_collects_rarely_and_leaves_out_what_lives_already() -> None:
    with rare_collections():
        first, *others = gc.get_threshold()
        assert first > 10 * 500
        assert others == [7, 9]
        assert gc.get_freeze_count() > 1000
        assert gc.isenabled()


def test_restores_what_was_set_before_also_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), rare_collections():
        raise ZeroDivisionError
    assert gc.get_threshold() == (500, 7, 9)
    assert gc.get_freeze_count() == 0
