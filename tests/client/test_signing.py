"""Judges from outside: the vendor's published vector, four derived ones, and the official SDK's own signer."""

import hashlib
import warnings
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowreaper.client import actions, messages, signing
from flowreaper.model import Credentials, Flow

with warnings.catch_warnings():
    # The vendor's packages import what newer Pythons deprecate; only what their import says is silenced.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest

# No test is timed: the first text that Hypothesis draws builds its tables of Unicode.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

NONCE = "3156853299f313e23d1673dc12e1703d"
NOW_S = 1698315752.0  # 2023-10-26T10:22:32Z, the vectors' date
KEY = Credentials("YourAccessKeyId", "YourAccessKeySecret")
STS = Credentials("YourAccessKeyId", "YourAccessKeySecret", "TOKEN+/=")
CAMS = "cams.ap-southeast-1.aliyuncs.com"
SIX = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"
EIGHT = (
    "host;x-acs-accesskey-id;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;"
    "x-acs-signature-nonce;x-acs-version"
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
tokens = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


class Vector(NamedTuple):
    host: str
    action: str
    version: str
    parameters: dict[str, str]
    credentials: Credentials
    names: str
    request_hash: str
    signature: str

    @property
    def headers(self) -> dict[str, str]:
        headers = {
            "host": self.host,
            "x-acs-action": self.action,
            "x-acs-version": self.version,
            "x-acs-date": "2023-10-26T10:22:32Z",
            "x-acs-signature-nonce": NONCE,
            "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        }
        if self.credentials.security_token:
            headers["x-acs-accesskey-id"] = self.credentials.access_key_id
            headers["x-acs-security-token"] = self.credentials.security_token
        return headers

    @property
    def canonical_request(self) -> str:
        query = signing.canonical_query(self.parameters)
        return signing.canonical_request("POST", "/", query, self.headers, signing.EMPTY_BODY_SHA256)

    @property
    def authorization(self) -> str:
        return (
            f"ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders={self.names},"
            f"Signature={self.signature}"
        )


SPACE = {"FlowId": "346699123", "CustSpaceId": "cams-awlkj23a09jd"}
PUBLISHED = Vector(
    "ecs.cn-shanghai.aliyuncs.com",
    "RunInstances",
    "2014-05-26",
    {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
    KEY,
    SIX,
    "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259",
    "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
)
DERIVED = {
    "plain": Vector(
        CAMS,
        "DeleteFlow",
        "2020-06-06",
        {"FlowId": "346699123"},
        KEY,
        SIX,
        "62ba39114c2237ebb734628fdb4b110670b28e0f6592d2fb8f50f7ec346ee28e",
        "0eadebd7ef1e90c7050490fdc74823e05398ec26766de5d2ceda23f02050da91",
    ),
    "space": Vector(
        CAMS,
        "DeleteFlow",
        "2020-06-06",
        SPACE,
        KEY,
        SIX,
        "6b737e4bbdf2ffc715c173d6a77facb6bf1c8f7dd6c70178cba6a8f1906d7701",
        "13796058a91e6a76ffeb1598b08543d11046441e5bbadf201c4970ebe55225de",
    ),
    "sts": Vector(
        CAMS,
        "DeleteFlow",
        "2020-06-06",
        SPACE,
        STS,
        EIGHT,
        "59c5dfb056d5a5f34c233099c11e89f2a198125e8bad094a1d8732a4abe63698",
        "11aabe07a136ae89200fd1c311160e46cca0f31c909e732cc41186ee39ec2c5b",
    ),
    "odd": Vector(
        CAMS,
        "DeleteFlow",
        "2020-06-06",
        {"FlowId": "a b*~+/:%é'(!)"},
        KEY,
        SIX,
        "52cb742916b4f92e88b3a5dc95f8063714aad5461813365be8545ce68812a8ae",
        "1a7264d55b783b601538979c805eb7ef3b49408439e964a646a36a209690adaa",
    ),
}
every_vector = pytest.mark.parametrize("vector", [PUBLISHED, *DERIVED.values()], ids=["published", *DERIVED])


@every_vector
def test_canonical_request_hashes_to_the_vector(vector: Vector) -> None:
    assert hashlib.sha256(vector.canonical_request.encode()).hexdigest() == vector.request_hash


@every_vector
def test_string_to_sign_names_the_algorithm_and_the_hash(vector: Vector) -> None:
    to_sign = signing.string_to_sign(vector.canonical_request)
    assert to_sign == f"ACS3-HMAC-SHA256\n{vector.request_hash}"


@every_vector
def test_signature_is_the_vectors(vector: Vector) -> None:
    to_sign = f"ACS3-HMAC-SHA256\n{vector.request_hash}"
    assert signing.signature("YourAccessKeySecret", to_sign) == vector.signature


@every_vector
def test_authorization_is_the_vectors(vector: Vector) -> None:
    header = signing.authorization(
        vector.credentials,
        method="POST",
        path="/",
        query=signing.canonical_query(vector.parameters),
        headers=vector.headers,
    )
    assert header == vector.authorization


@pytest.mark.parametrize("vector", DERIVED.values(), ids=DERIVED)
def test_delete_flow_signs_to_the_vectors(vector: Vector) -> None:
    flow = Flow(vector.parameters["FlowId"], vector.parameters.get("CustSpaceId", ""))
    request = actions.delete_flow(flow).signed(vector.credentials, host=CAMS, now_s=NOW_S, nonce=NONCE)
    assert request.headers["authorization"] == vector.authorization


def test_canonical_request_of_the_published_vector_reads_as_the_rules_say() -> None:
    assert PUBLISHED.canonical_request.split("\n") == [
        "POST",
        "/",
        "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
        "host:ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action:RunInstances",
        "x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-acs-date:2023-10-26T10:22:32Z",
        f"x-acs-signature-nonce:{NONCE}",
        "x-acs-version:2014-05-26",
        "",
        SIX,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("AZaz09-_.~", "AZaz09-_.~"),
        (" ", "%20"),
        ("+", "%2B"),
        ("*", "%2A"),
        ("/", "%2F"),
        ("%2f", "%252f"),
        ("é", "%C3%A9"),
        ("\U0001f600", "%F0%9F%98%80"),
        ("\0", "%00"),
        ("", ""),
    ],
)
def test_percent_encode_keeps_only_the_unreserved(text: str, encoded: str) -> None:
    assert signing.percent_encode(text) == encoded


@unhurried
@given(texts)
def test_an_encoded_id_cannot_break_out_of_its_parameter(text: str) -> None:
    unreserved = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%")
    assert set(signing.percent_encode(text)) <= unreserved


def test_query_is_sorted_by_name_and_keeps_the_equals_sign_of_an_empty_value() -> None:
    assert signing.canonical_query({"b": "", "a": "2", "B": "1"}) == "B=1&a=2&b="


def test_query_of_nothing_is_empty() -> None:
    assert signing.canonical_query({}) == ""


def test_signed_headers_are_lower_case_sorted_stripped_and_only_those_that_count() -> None:
    headers = {
        "X-Acs-Version": " 1 ",
        "Host": "h",
        "Content-Type": "a/b",
        "Accept": "no",
        "authorization": "no",
        "x-acsfoo": "no",
    }
    block, names = signing.canonical_headers(headers)
    assert block == "content-type:a/b\nhost:h\nx-acs-version:1\n"
    assert names == "content-type;host;x-acs-version"


def _official(request: messages.Request, parameters: dict[str, str], credentials: Credentials) -> object:
    official = DaraRequest()
    official.method = "POST"
    official.pathname = "/"
    official.query = parameters
    unsigned = ("authorization", "accept")
    official.headers = {k: v for k, v in request.headers.items() if k not in unsigned}
    return Utils.get_authorization(
        official,
        "ACS3-HMAC-SHA256",
        hashlib.sha256(b"").hexdigest(),
        credentials.access_key_id,
        credentials.access_key_secret,
    )


@unhurried
@given(flow_id=texts, space=texts, token=tokens, secret=texts.filter(bool))
def test_official_signer_agrees_on_any_flow_and_credentials(
    flow_id: str, space: str, token: str, secret: str
) -> None:
    credentials = Credentials("YourAccessKeyId", secret, token)
    request = actions.delete_flow(Flow(flow_id, space)).signed(
        credentials, host=CAMS, now_s=NOW_S, nonce=NONCE
    )
    parameters = {"FlowId": flow_id} | ({"CustSpaceId": space} if space else {})
    assert request.headers["authorization"] == _official(request, parameters, credentials)


@unhurried
@given(st.dictionaries(st.sampled_from(["FlowName", "Page", "Categories", "FlowId", "a", "Z"]), texts))
def test_official_signer_agrees_on_any_parameters_of_the_family(parameters: dict[str, str]) -> None:
    request = messages.signed_request(
        "ListFlow", parameters, STS, host="127.0.0.1:8080", now_s=NOW_S, nonce=NONCE
    )
    assert request.headers["authorization"] == _official(request, parameters, STS)
