"""Flows that wait come back as they were, in their order."""

import tempfile
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowreaper.client.actions import ListedFlow
from flowreaper.errors import OutputError
from flowreaper.job.held_flows import HeldFlows
from flowreaper.model import Flow

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
listed_flows = st.builds(ListedFlow, st.builds(Flow, texts, texts), texts, st.lists(texts).map(tuple))


@settings(deadline=None)
@given(st.lists(listed_flows))
def test_whatever_a_flow_is_called_it_comes_back_as_it_was(flows: list[ListedFlow]) -> None:
    with closing(HeldFlows()) as held:
        for listed in flows:
            held.add(listed)
        assert held.count == len(flows)
        assert list(held) == flows
        assert list(held) == flows


def test_where_there_is_no_room_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(tempfile.SpooledTemporaryFile[bytes]):
        def write(self, data: object) -> int:
            del data
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Full)
    with closing(HeldFlows()) as held, pytest.raises(OutputError, match=r"No space left on device.*TMPDIR"):
        held.add(ListedFlow(Flow("1"), "", ()))
