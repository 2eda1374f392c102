import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from flowreaper.client import actions, signing
from flowreaper.model import Credentials, Flow
from flowreaper.sandbox import CREDENTIALS, authentication
from flowreaper.sandbox.answer import BAD_DATE, EXPIRED, MISMATCH
from flowreaper.sandbox.authentication import Incoming, Verifier
from flowreaper.sandbox.undocumented import BAD_TOKEN, NONCE_USED

VENDOR = Credentials("YourAccessKeyId", "YourAccessKeySecret")
FLOW = Flow("1")
STS = Credentials("YourAccessKeyId", "YourAccessKeySecret", "TOKEN+/=")
VECTOR_DATE = "2023-10-26T10:22:32Z"
VECTOR_TIME_S = datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC).timestamp()
CAMS = "cams.ap-southeast-1.aliyuncs.com"
DELETE_FLOW = (CAMS, "DeleteFlow", "2020-06-06")
SPACE = {"CustSpaceId": "cams-awlkj23a09jd", "FlowId": "346699123"}
RUN_INSTANCES = {
    "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
    "RegionId": "cn-shanghai",
}


def vector(
    operation: tuple[str, str, str], parameters: dict[str, str], signature: str, credentials: Credentials
) -> Incoming:
    host, action, version = operation
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": signing.EMPTY_BODY_SHA256,
        "x-acs-date": VECTOR_DATE,
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": version,
    }
    if credentials.security_token:
        headers["x-acs-accesskey-id"] = credentials.access_key_id
        headers["x-acs-security-token"] = credentials.security_token
    names = ";".join(sorted(headers))
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={credentials.access_key_id},SignedHeaders={names},Signature={signature}"
    )
    return Incoming("POST", "/", list(parameters.items()), headers)


@pytest.mark.parametrize(
    ("operation", "parameters", "signature", "credentials"),
    [
        pytest.param(
            ("ecs.cn-shanghai.aliyuncs.com", "RunInstances", "2014-05-26"),
            RUN_INSTANCES,
            "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
            VENDOR,
            id="published",
        ),
        pytest.param(
            DELETE_FLOW,
            {"FlowId": "346699123"},
            "0eadebd7ef1e90c7050490fdc74823e05398ec26766de5d2ceda23f02050da91",
            VENDOR,
            id="plain",
        ),
        pytest.param(
            DELETE_FLOW,
            SPACE,
            "13796058a91e6a76ffeb1598b08543d11046441e5bbadf201c4970ebe55225de",
            VENDOR,
            id="space",
        ),
        pytest.param(
            DELETE_FLOW,
            SPACE,
            "11aabe07a136ae89200fd1c311160e46cca0f31c909e732cc41186ee39ec2c5b",
            STS,
            id="sts",
        ),
        pytest.param(
            DELETE_FLOW,
            {"FlowId": "a b*~+/:%é'(!)"},
            "1a7264d55b783b601538979c805eb7ef3b49408439e964a646a36a209690adaa",
            VENDOR,
            id="odd characters",
        ),
    ],
)
def test_the_vectors_from_outside_are_accepted_and_no_other_signature_is(
    operation: tuple[str, str, str], parameters: dict[str, str], signature: str, credentials: Credentials
) -> None:
    good = vector(operation, parameters, signature, credentials)
    assert Verifier(credentials).refusal(good, VECTOR_TIME_S) is None
    last = "0" if signature[-1] != "0" else "1"
    bad = vector(operation, parameters, signature[:-1] + last, credentials)
    assert Verifier(credentials).refusal(bad, VECTOR_TIME_S) == MISMATCH


def incoming(
    flow: Flow = FLOW,
    *,
    now_s: float = VECTOR_TIME_S,
    nonce: str = "n",
    credentials: Credentials = VENDOR,
    **changed: str,
) -> Incoming:
    request = actions.delete_flow(flow).signed(credentials, host=CAMS, now_s=now_s, nonce=nonce)
    parameters = parse_qsl(request.query, keep_blank_values=True)
    return Incoming("POST", "/", parameters, {**request.headers, **changed})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text("abc-1 +%&=", max_size=8))
def test_flowreapers_own_signature_over_any_id_and_space_is_accepted(flow_id: str, space: str) -> None:
    assert Verifier(VENDOR).refusal(incoming(Flow(flow_id, space)), VECTOR_TIME_S) is None


@pytest.mark.parametrize(
    ("off_s", "expected"), [(0, None), (899, None), (-899, None), (900, EXPIRED), (-900, EXPIRED)]
)
def test_a_date_is_good_for_less_than_fifteen_minutes_either_way(off_s: int, expected: Any) -> None:
    assert Verifier(VENDOR).refusal(incoming(), VECTOR_TIME_S + off_s) == expected


@pytest.mark.parametrize(
    "date", ["2023-10-26 10:22:32", "2023-02-31T10:22:32Z", "now", "\u0662\u0660\u0662\u0663-10-26T10:22:32Z"]
)
def test_a_date_of_another_form_is_refused(date: str) -> None:
    request = incoming()
    headers = {name: value for name, value in request.headers.items() if name != "authorization"} | {
        "x-acs-date": date
    }
    query = signing.canonical_query(dict(request.parameters))
    signed = signing.authorization(VENDOR, method="POST", path="/", query=query, headers=headers)
    refusal = Verifier(VENDOR).refusal(
        request._replace(headers={**headers, "authorization": signed}), VECTOR_TIME_S
    )
    assert refusal == BAD_DATE


def test_a_nonce_is_taken_once() -> None:
    verifier = Verifier(VENDOR)
    answers = [verifier.refusal(incoming(nonce=nonce), VECTOR_TIME_S) for nonce in "aba"]
    assert answers == [None, None, NONCE_USED]


def test_a_refused_signature_does_not_use_its_nonce_up() -> None:
    verifier = Verifier(VENDOR)
    forged = incoming(credentials=Credentials("YourAccessKeyId", "guess"))
    assert [verifier.refusal(r, VECTOR_TIME_S) for r in (forged, incoming())] == [MISMATCH, None]


def test_a_nonce_is_remembered_as_long_as_its_date_can_be_valid_and_then_forgotten() -> None:
    verifier = Verifier(VENDOR)
    early = incoming(now_s=VECTOR_TIME_S + 890)
    assert verifier.refusal(early, VECTOR_TIME_S) is None
    between = VECTOR_TIME_S + 1000
    assert verifier.refusal(incoming(now_s=between, nonce="between"), between) is None
    assert verifier.refusal(early, VECTOR_TIME_S + 1780) == NONCE_USED
    assert verifier.refusal(incoming(now_s=VECTOR_TIME_S + 9000, nonce="x"), VECTOR_TIME_S + 9000) is None
    assert list(verifier._nonces) == ["x"]


def test_the_oldest_nonces_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "NONCE_LIMIT", 3)
    verifier = Verifier(VENDOR)
    assert [verifier.refusal(incoming(nonce=n), VECTOR_TIME_S) for n in "abcd"] == [None] * 4
    assert list(verifier._nonces) == ["b", "c", "d"]


@pytest.mark.parametrize("sent", ["", "another"])
def test_where_a_token_belongs_to_the_key_no_other_is_taken(sent: str) -> None:
    credentials = Credentials(STS.access_key_id, STS.access_key_secret, sent)
    assert Verifier(STS).refusal(incoming(credentials=credentials), VECTOR_TIME_S) == BAD_TOKEN
    assert Verifier(STS).refusal(incoming(credentials=STS), VECTOR_TIME_S) is None


def test_a_token_that_the_key_does_not_have_is_refused() -> None:
    assert Verifier(VENDOR).refusal(incoming(credentials=STS), VECTOR_TIME_S) == BAD_TOKEN


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host,Signature=12",
        "ACS3-HMAC-MD5 Credential=YourAccessKeyId,SignedHeaders=host,Signature=" + "0" * 64,
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=x;host,Signature=" + "0" * 64,
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;host,Signature=" + "0" * 64,
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;unsent,Signature=" + "0" * 64,
    ],
)
def test_a_missing_or_garbled_authorization_is_incomplete(authorization: str) -> None:
    refusal = Verifier(VENDOR).refusal(incoming(authorization=authorization), VECTOR_TIME_S)
    assert refusal is not None
    assert (refusal.status, refusal.code) == (400, "IncompleteSignature")


@pytest.mark.parametrize("name", sorted(authentication._ALWAYS_SIGNED))
def test_each_header_that_must_be_signed_is_missed(name: str) -> None:
    request = incoming()
    headers = {k: v for k, v in request.headers.items() if k not in {"authorization", name}}
    query = signing.canonical_query(dict(request.parameters))
    headers["authorization"] = signing.authorization(
        VENDOR, method="POST", path="/", query=query, headers=headers
    )
    headers[name] = request.headers[name]
    refusal = Verifier(VENDOR).refusal(request._replace(headers=headers), VECTOR_TIME_S)
    assert refusal is not None
    assert (refusal.code, refusal.message.split()[-1]) == ("IncompleteSignature", name)


@given(
    st.dictionaries(
        st.sampled_from(["authorization", "x-acs-date", "host", "x-acs-signature-nonce"]), st.text()
    )
)
def test_any_header_values_get_an_answer(changed: dict[str, str]) -> None:
    original = incoming()
    refusal = Verifier(VENDOR).refusal(
        original._replace(headers={**original.headers, **changed}), VECTOR_TIME_S
    )
    same = all(original.headers[name].strip() == value.strip() for name, value in changed.items())
    assert (refusal is None) == same


def test_a_content_hash_that_is_not_the_bodys_is_refused() -> None:
    request = incoming()
    headers = {**request.headers, "x-acs-content-sha256": "0" * 64}
    query = signing.canonical_query(dict(request.parameters))
    headers["authorization"] = signing.authorization(
        VENDOR, method="POST", path="/", query=query, headers=headers
    )
    assert Verifier(VENDOR).refusal(request._replace(headers=headers), VECTOR_TIME_S) == MISMATCH


def test_signed_headers_out_of_order_are_refused() -> None:
    request = incoming()
    names = ";".join(sorted(authentication._ALWAYS_SIGNED))
    turned = ";".join(sorted(authentication._ALWAYS_SIGNED, reverse=True))
    headers = {**request.headers, "authorization": request.headers["authorization"].replace(names, turned)}
    refusal = Verifier(VENDOR).refusal(request._replace(headers=headers), VECTOR_TIME_S)
    assert refusal is not None
    assert (refusal.code, "must be sorted" in refusal.message) == ("IncompleteSignature", True)


@pytest.mark.parametrize("name", ["x-acs-signature-nonce", "x-acs-content-sha256", "host"])
def test_a_header_that_is_not_utf_8_gets_an_answer(name: str) -> None:
    request = incoming()
    strange = request._replace(headers={**request.headers, name: "\udcff"})
    assert Verifier(VENDOR).refusal(strange, VECTOR_TIME_S) == MISMATCH


# Over real HTTP.


async def test_a_request_of_the_protocol_is_accepted(start: Any) -> None:
    client = await start()
    got = await client.delete("1", "cams-x")
    assert (got.status, got.code) == (200, "OK")
    assert client.sandbox.service.deleted == {Flow("1", "cams-x")}


async def test_ids_of_odd_characters_arrive_unchanged(start: Any) -> None:
    client = await start()
    for flow_id in ("a b*~+/:%é'(!)", "1+2=3&FlowId=4", "%2B", "#?;"):
        assert (await client.delete(flow_id)).code == "OK"
        assert client.sandbox.ledger.calls[-1].flow_id == flow_id


async def test_a_query_that_only_decodes_to_its_canonical_form_is_accepted(start: Any) -> None:
    client = await start()
    query, headers = client.request(Flow("abc", "cams-x"))
    assert query == "CustSpaceId=cams-x&FlowId=abc"
    assert (await client.send("FlowId=%61b%63&CustSpaceId=cams%2dx", headers)).code == "OK"


@pytest.mark.parametrize("tampered", ["FlowId=2", "FlowId=1&CustSpaceId=x", "", "FlowId=1%20"])
async def test_a_tampered_query_is_refused_and_deletes_nothing(start: Any, tampered: str) -> None:
    client = await start()
    _, headers = client.request(Flow("1"))
    got = await client.send(tampered, headers)
    assert (got.status, got.code) == (400, "SignatureDoesNotMatch")
    assert client.sandbox.service.deleted == set()


@pytest.mark.parametrize("query", ["FlowId=1&FlowId=2", "FlowId=%ff", "FlowId"])
async def test_a_query_that_can_be_read_in_two_ways_is_refused(start: Any, query: str) -> None:
    client = await start()
    got = await client.send(query, client.request(Flow("1")).headers)
    assert (got.status, got.code) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ({"FlowId": "1", "CustSpaceId": "cams-x"}, None),
        ({}, {"FlowId": "1", "CustSpaceId": "cams-x"}),
        ({"CustSpaceId": "cams-x"}, {"FlowId": "1"}),
        ({"FlowId": "1"}, {"CustSpaceId": "cams-x"}),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_parameters_may_stand_in_the_query_in_a_form_or_some_in_each(
    start: Any, method: str, query: dict[str, str], form: dict[str, str] | None
) -> None:
    client = await start()
    query_text, headers, body = client.form_request(query=query, form=form, method=method)
    got = await client.send(query_text, headers, body=body, method=method)
    assert (got.status, got.code) == (200, "OK")
    assert client.sandbox.service.deleted == {Flow("1", "cams-x")}
    assert client.sandbox.ledger.calls[0].flow_id == "1"


async def test_a_form_may_name_its_charset(start: Any) -> None:
    client = await start()
    kind = "Application/X-WWW-Form-Urlencoded; charset=UTF-8"
    query, headers, body = client.form_request(form={"FlowId": "流程"}, content_type=kind)
    assert (await client.send(query, headers, body=body)).code == "OK"
    assert client.sandbox.service.deleted == {Flow("流程")}


async def test_a_parameter_in_query_and_form_is_refused_also_where_both_agree(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(query={"FlowId": "1"}, form={"FlowId": "1"})
    got = await client.send(query, headers, body=body)
    assert (got.status, got.code) == (400, "InvalidParameter")
    assert "sent twice" in got.message
    assert client.sandbox.service.deleted == set()


async def test_a_body_of_another_type_holds_no_parameters(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(form={"FlowId": "1"}, content_type="application/json")
    assert (await client.send(query, headers, body=body)).code == "MissingFlowId"


async def test_a_forms_type_must_be_signed(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(query={"FlowId": "1"})
    headers["content-type"] = "application/x-www-form-urlencoded"
    got = await client.send(query, headers, body=body)
    assert (got.code, "content-type" in got.message) == ("IncompleteSignature", True)
    assert client.sandbox.service.deleted == set()


async def test_a_tampered_form_is_refused(start: Any) -> None:
    client = await start()
    query, headers, body = client.form_request(form={"FlowId": "1"})
    assert (await client.send(query, headers, body=body.replace(b"1", b"2"))).code == "SignatureDoesNotMatch"
    assert (await client.send("FlowId=1", headers)).code == "SignatureDoesNotMatch"
    assert client.sandbox.service.deleted == set()


async def test_a_signature_of_the_older_version_is_named(start: Any) -> None:
    client = await start()
    old = (
        "AccessKeyId=a&Action=DeleteFlow&FlowId=1&Signature=b&SignatureMethod=HMAC-SHA1&SignatureVersion=1.0"
    )
    got = await client.send(old, {})
    assert (got.code, "signature V3 only" in got.message) == ("IncompleteSignature", True)


async def test_a_stale_date_is_refused_with_the_services_own_time(start: Any) -> None:
    client = await start(clock_offset_s=2400)
    got = await client.delete("1")
    assert (got.status, got.code) == (400, "InvalidTimeStamp.Expired")
    told = datetime.strptime(got.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    assert abs(told - datetime.fromtimestamp(time.time() + 2400, UTC)) < timedelta(minutes=1)
    assert (await client.delete("1", ahead_s=2400)).code == "OK"


async def test_a_reused_nonce_is_refused(start: Any) -> None:
    client = await start()
    assert (await client.delete("1", nonce="same")).code == "OK"
    got = await client.delete("2", nonce="same")
    assert (got.status, got.code) == (400, "SignatureNonceUsed")
    assert client.sandbox.service.deleted == {Flow("1")}


async def test_an_unknown_key_is_refused(start: Any) -> None:
    client = await start()
    got = await client.delete("1", credentials=VENDOR)
    assert (got.status, got.code) == (404, "InvalidAccessKeyId.NotFound")


async def test_a_wrong_secret_is_refused(start: Any) -> None:
    client = await start()
    got = await client.delete("1", credentials=Credentials(CREDENTIALS.access_key_id, "guess"))
    assert (got.status, got.code) == (400, "SignatureDoesNotMatch")


async def test_a_changed_header_is_refused(start: Any) -> None:
    client = await start()
    query, headers = client.request(Flow("1"))
    got = await client.send(query, {**headers, "x-acs-signature-nonce": "other"})
    assert (got.status, got.code) == (400, "SignatureDoesNotMatch")


async def test_an_x_acs_header_that_is_not_signed_is_refused(start: Any) -> None:
    client = await start()
    query, headers = client.request(Flow("1"))
    got = await client.send(query, {**headers, "X-Acs-Extra": "1"})
    assert (got.status, got.code) == (400, "IncompleteSignature")
    assert b"x-acs-extra" in got.body


async def test_a_body_that_was_not_signed_is_refused(start: Any) -> None:
    client = await start()
    got = await client.send(*client.request(Flow("1")), body=b"FlowId=2")
    assert (got.status, got.code) == (400, "SignatureDoesNotMatch")


async def test_another_action_is_refused(start: Any) -> None:
    client = await start()
    got = await client.delete("1", action="ListFlowVersion")
    assert (got.status, got.code) == (404, "InvalidApi.NotFound")
    assert got.message.startswith("Specified api is not found,please check your url and method. (")
    assert "The sandbox serves only DeleteFlow, ListFlow, " in got.message


async def test_the_configured_token_is_demanded(start: Any) -> None:
    sts = Credentials(CREDENTIALS.access_key_id, CREDENTIALS.access_key_secret, "token" + quote("é"))
    client = await start(credentials=sts)
    assert (await client.delete("1")).code == "InvalidSecurityToken.Expired"
    assert (await client.delete("1", credentials=sts)).code == "OK"


async def test_a_header_that_comes_twice_is_refused(start: Any) -> None:
    client = await start()
    query, headers = client.request(Flow("1"))
    twice = CIMultiDict(headers)
    twice.add("x-acs-date", headers["x-acs-date"])
    got = await client.send(query, twice)
    assert (got.status, got.code) == (400, "IncompleteSignature")
