"""Which parameters each operation is called with."""

from urllib.parse import parse_qsl

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.client import actions
from flowreaper.client.messages import Request
from flowreaper.model import Credentials, Flow

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEY = Credentials("YourAccessKeyId", "YourAccessKeySecret")
HOST = "cams.ap-southeast-1.aliyuncs.com"

texts = st.text(st.characters(exclude_categories=["Cs"]))


def delete_flow(flow: Flow) -> Request:
    return actions.delete_flow(flow).signed(KEY, host=HOST, now_s=0.0, nonce="n1")


def test_the_operation_is_delete_flow() -> None:
    assert delete_flow(Flow("346699123")).headers["x-acs-action"] == "DeleteFlow"


def test_query_names_the_space_first_because_it_is_sorted() -> None:
    assert delete_flow(Flow("346699123", "cams-x")).query == "CustSpaceId=cams-x&FlowId=346699123"


def test_query_leaves_out_an_empty_space() -> None:
    assert delete_flow(Flow("346699123")).query == "FlowId=346699123"


def test_query_is_encoded() -> None:
    assert delete_flow(Flow("a b&FlowId=2")).query == "FlowId=a%20b%26FlowId%3D2"


@unhurried
@given(flow_id=texts, space=texts.filter(bool))
def test_any_flow_comes_out_of_the_query_as_it_went_in(flow_id: str, space: str) -> None:
    query = delete_flow(Flow(flow_id, space)).query
    assert query.isascii()
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [
        ("CustSpaceId", space),
        ("FlowId", flow_id),
    ]
