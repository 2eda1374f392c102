"""The shape of a request, and the reading of whatever may come back."""

import json
import traceback

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from flowreaper.client import messages
from flowreaper.model import Credentials, Reply

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEY = Credentials("YourAccessKeyId", "YourAccessKeySecret")
STS = Credentials("YourAccessKeyId", "YourAccessKeySecret", "TOKEN+/=")
HOST = "cams.ap-southeast-1.aliyuncs.com"
SUCCESS = (
    b'{"AccessDeniedDetail":"None","RequestId":"90E63D28-E31D-1EB2-8939-A94866414CB1",'
    b'"Message":"None","Code":"OK"}'
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
# Bytes at random hardly ever are JSON: objects with the service's names reach the fields.
bodies = st.binary() | st.dictionaries(
    st.sampled_from(["Code", "code", "Message", "message", "RequestId", "requestId", "Other"]), json_values
).map(lambda value: json.dumps(value).encode())
header_values = st.text(st.characters(min_codepoint=0, max_codepoint=0x2FFF))


def signed(
    flow_id: str = "346699123", credentials: Credentials = KEY, now_s: float = 0.0, nonce: str = "n1"
) -> messages.Request:
    parameters = {"FlowId": flow_id}
    return messages.signed_request("DeleteFlow", parameters, credentials, host=HOST, now_s=now_s, nonce=nonce)


def read(
    body: bytes, *, status: int = 200, complete: bool = True, headers: dict[str, str] | None = None
) -> Reply:
    return messages.read_answer(status, CIMultiDict(headers or {}), body, complete=complete).reply


def test_request_with_a_lasting_key_holds_exactly_the_eight_headers() -> None:
    headers = signed(now_s=1698315752.9).headers
    authorization = headers.pop("authorization")
    assert authorization.startswith("ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-")
    assert headers == {
        "host": HOST,
        "x-acs-action": "DeleteFlow",
        "x-acs-version": "2020-06-06",
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "n1",
        "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "accept": "application/json",
    }


def test_request_with_a_temporary_key_sends_and_signs_the_token() -> None:
    headers = signed(credentials=STS).headers
    assert headers["x-acs-security-token"] == "TOKEN+/="
    assert headers["x-acs-accesskey-id"] == "YourAccessKeyId"
    assert "x-acs-accesskey-id;" in headers["authorization"]
    assert "x-acs-security-token;" in headers["authorization"]


def test_each_nonce_and_each_date_makes_its_own_signature() -> None:
    signatures = {
        signed(now_s=now_s, nonce=nonce).headers["authorization"]
        for now_s, nonce in [(0.0, "a"), (0.0, "b"), (1.0, "a")]
    }
    assert len(signatures) == 3


def test_request_shows_neither_signature_nor_token() -> None:
    request = signed(credentials=STS)
    assert f"{request} {request!r} {(request,)}".count("346699123") == 3
    assert "TOKEN" not in f"{request} {request!r} {(request,)}"
    assert "Signature" not in f"{request} {request!r} {(request,)}"


def test_an_id_that_cannot_be_encoded_raises_before_the_token_is_in_reach() -> None:
    with pytest.raises(UnicodeEncodeError) as caught:
        signed("\ud800", STS)
    stack = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    text = "".join(stack.format())
    assert "credentials = Credentials(" in text
    assert "TOKEN" not in text


@pytest.mark.parametrize(
    ("now_s", "written"),
    [(0.0, "1970-01-01T00:00:00Z"), (951782400.999, "2000-02-29T00:00:00Z")],
)
def test_timestamp_is_utc_and_cut_to_the_second(now_s: float, written: str) -> None:
    assert messages.timestamp(now_s) == written


def test_success_is_read_word_for_word() -> None:
    assert read(SUCCESS) == Reply(200, "OK", "None", "90E63D28-E31D-1EB2-8939-A94866414CB1")


def test_refusal_keeps_status_and_words() -> None:
    body = (
        b'{"Code":"Unknown.ResourceOwnerId","Message":"It isn\'t yours \\u00e9","RequestId":"R","HostId":"h"}'
    )
    assert read(body, status=400) == Reply(400, "Unknown.ResourceOwnerId", "It isn't yours é", "R")


def test_lower_case_names_are_understood() -> None:
    body = b'{"code":"Throttling","message":"slow","requestId":"R"}'
    assert read(body, status=400) == Reply(400, "Throttling", "slow", "R")


def test_the_services_own_names_win_over_lower_case_ones() -> None:
    assert read(b'{"code":"OK","Code":"InternalError"}').code == "InternalError"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<html><body>502 Bad Gateway</body></html>",
        b'{"Code":"OK"',
        b'{"Code":"OK"}{"Code":"OK"}',
        b'["OK"]',
        b'[{"Code":"OK"}]',
        b'"OK"',
        b"null",
        b"200",
        b'{"Code":"OK\xff"}',
        b"\x00\xff\xfe",
        b"[" * 100_000,
        b'{"Code":' * 50_000,
        b'{"Code":' + b"1" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_not_readable(body: bytes) -> None:
    reply = read(body)
    assert (reply.readable, reply.reached, reply.code) == (False, True, "")
    assert reply.message.startswith("the answer is no JSON object")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"success":true}',
        b'{"Code":null}',
        b'{"Code":""}',
        b'{"Code":{"a":1}}',
        b'{"Code":["OK"]}',
        b'{"Code":true}',
        b'{"Code":1.5}',
        b'{"Code":NaN}',
        b'{"CODE":"OK"}',
    ],
)
def test_an_object_without_a_code_in_words_is_somebody_elses(body: bytes) -> None:
    reply = read(body)
    assert (reply.readable, reply.code) == (False, "")


def test_a_cut_answer_is_not_readable_even_if_what_came_is_json() -> None:
    reply = read(SUCCESS, complete=False)
    assert (reply.status, reply.readable, reply.code) == (200, False, "")
    assert reply.message.startswith("the answer was cut short")


def test_a_code_that_is_a_number_is_read_as_its_digits() -> None:
    assert read(b'{"Code":999999,"Message":12,"RequestId":-3}') == Reply(200, "999999", "12", "-3")


def test_null_and_nested_fields_beside_a_code_are_empty() -> None:
    assert read(b'{"Code":"X","Message":null,"RequestId":{"a":[]}}') == Reply(200, "X")


def test_a_field_nested_deeply_does_not_raise() -> None:
    for depth in range(0, 3000, 50):
        read(b'{"Code":"X","Message":' + b"[" * depth + b"]" * depth + b"}")


def test_lone_surrogates_are_escaped_so_that_the_text_can_be_stored() -> None:
    reply = read(b'{"Code":"X\\ud800","Message":"\\udfff\\ud83d\\ude00"}')
    assert (reply.code, reply.message) == ("X\\ud800", "\\udfff\U0001f600")


def test_huge_fields_are_cut_and_say_so() -> None:
    huge = "x" * 10_000
    reply = read(json.dumps({"Code": huge, "Message": huge, "RequestId": huge}).encode())
    assert reply.code == "x" * 200 + " [cut]"
    assert reply.message == "x" * 2000 + " [cut]"
    assert reply.request_id == reply.code


def test_fields_at_the_limit_are_whole() -> None:
    reply = read(json.dumps({"Code": "x" * 200, "Message": "y" * 2000}).encode())
    assert (reply.code, reply.message) == ("x" * 200, "y" * 2000)


@pytest.mark.parametrize("body", [b"<p>" * 50_000, b"\x00" * 200_000, b"\xff" * 200_000])
def test_a_huge_page_is_cut_to_what_fits_a_log_line(body: bytes) -> None:
    message = read(body, status=502).message
    assert len(message) < 10_000
    assert message.isprintable()


@pytest.mark.parametrize("name", ["x-acs-retry-after", "X-Acs-Retry-After"])
@pytest.mark.parametrize("body", [SUCCESS, b"<html>"])
def test_retry_after_is_milliseconds_whatever_the_body(name: str, body: bytes) -> None:
    assert read(body, headers={name: "1500"}).retry_after_ms == 1500


@pytest.mark.parametrize(
    "value",
    ["", "0", "-5", "+5", " 5", "1.5", "1e3", "1_0", "0x10", "soon", "٣", "²", "1234567890", "9" * 5000],
)
def test_a_retry_after_that_is_no_plain_number_of_milliseconds_is_none(value: str) -> None:
    assert read(SUCCESS, headers={"x-acs-retry-after": value}).retry_after_ms == 0


def test_the_longest_retry_after_has_nine_digits() -> None:
    assert read(SUCCESS, headers={"x-acs-retry-after": "999999999"}).retry_after_ms == 999_999_999


@pytest.mark.parametrize("body", [SUCCESS, b""])
def test_the_date_header_is_kept_for_the_clock(body: bytes) -> None:
    date = "Thu, 26 Oct 2023 10:22:32 GMT"
    assert read(body, headers={"date": date}).date == date


@unhurried
@given(body=bodies, status=st.integers(100, 599), complete=st.booleans(), retry_after=header_values)
def test_any_bytes_give_a_reply_that_can_be_stored(
    *, body: bytes, status: int, complete: bool, retry_after: str
) -> None:
    headers = {"x-acs-retry-after": retry_after}
    reply = read(body, status=status, complete=complete, headers=headers)
    assert reply.status == status
    assert reply.reached
    assert reply.readable == bool(reply.code)
    assert reply.retry_after_ms >= 0
    assert len(reply.code) + len(reply.message) + len(reply.request_id) < 10_000
    (reply.code + reply.message + reply.request_id).encode()
    if not complete:
        assert not reply.readable


@unhurried
@given(
    code=st.text(max_size=200).filter(lambda t: t.isascii() and t),
    message=texts,
    request_id=st.uuids().map(str),
)
def test_the_services_words_are_kept_verbatim(code: str, message: str, request_id: str) -> None:
    body = json.dumps({"Code": code, "Message": message, "RequestId": request_id}).encode()
    assert read(body, status=400) == Reply(400, code, message, request_id)
