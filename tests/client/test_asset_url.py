"""Where a flow's file may be fetched from."""

import ipaddress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from flowreaper.client.asset_url import is_public, read_url

PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "0.0.0.0",  # noqa: S104 -- an address that must be refused
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "2001:0:808:808:0:0:80ff:fffe",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%lo",
    "fec0::1",
    "ff02::1",
    "4000::1",
    "2001:db8::1",
    "no address",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_this_machine_or_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_no_more_public_in_another_form(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    forms = [
        f"::ffff:{address}",
        str(ipaddress.IPv6Address((0x64FF9B << 96) | number)),
        str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(ipaddress.IPv6Address((0x2001 << 112) | (0x08080808 << 64) | (number ^ 0xFFFF_FFFF))),
        str(ipaddress.IPv6Address((0x2001 << 112) | (number << 64) | (0x08080808 ^ 0xFFFF_FFFF))),
    ]
    assert is_public(str(address)) or not any(map(is_public, forms))


@pytest.mark.parametrize("plain_here", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "https://files.example/flow.json",
        "https://files.example/flow.json?Expires=1&Signature=a%2Bb%2f+c%20/=~",
        "https://files.example:8443/a//b/../c",
        "https://8.8.8.8/x",
        "https://[2606:4700::1111]/x",
    ],
)
def test_an_https_url_is_sent_byte_for_byte_as_it_was_given(text: str, *, plain_here: bool) -> None:
    url = read_url(text, plain_here=plain_here)
    assert isinstance(url, URL)
    assert str(url) == text


def test_what_is_not_ascii_is_encoded() -> None:
    assert read_url("https://files.example/\u6d41.json?\u6d41", plain_here=False) == URL(
        f"https://files.example/{quote('流')}.json?{quote('流')}", encoded=True
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://files.example/x", "not https"),
        ("ftp://files.example/x", "not https"),
        ("file:///etc/passwd", "no host"),
        ("flow.json", "no host"),
        ("", "no host"),
        ("https:///x", "no host"),
        ("https://user@files.example/x", "a user or a password"),
        ("https://user:pw@files.example/x", "a user or a password"),
        ("https://@files.example/x", "a user or a password"),
        ("https://files.example/x\r\nHost: elsewhere", "control character"),
        ("https://files.example\\@127.0.0.1/x", "backslash"),
        ("https://files example/x", "blank"),
        ("https://files.example:99999/x", "cannot be read"),
        ("https://files.example/" + "x" * 20_000, "longer than"),
        ("https://127.0.0.1/x", "not public"),
        ("https://[::ffff:127.0.0.1]/x", "not public"),
        ("https://[fe80::1%25eth0]/x", "not public"),
        ("https://localhost/x", "this machine"),
        ("https://LOCALHOST./x", "this machine"),
        ("https://a.localhost/x", "this machine"),
        ("https://127.1/x", "no host"),
        ("https://2130706433/x", "no host"),
        ("https://0x7f000001/x", "no host"),
        ("https://0x7f.0.0.0x1/x", "no host"),
        ("https://0177.0.0.1/x", "no host"),
        ("https://127.0.0.1./x", "no host"),
        ("https://a..b/x", "no host"),
        ("https://\u2488\u2488/x", "no host"),  # digits with a full stop, which a library may read as digits
    ],
)
def test_another_url_is_refused_without_being_repeated(text: str, why: str) -> None:
    refused = read_url(text, plain_here=False)
    assert isinstance(refused, str)
    assert why in refused
    assert len(text) < 5 or text not in refused


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080/x?s=1", "http://localhost:1/x", "http://[::1]:1/x"])
def test_plain_http_to_this_machine_is_for_a_sandbox_only(text: str) -> None:
    assert isinstance(read_url(text, plain_here=True), URL)
    assert isinstance(read_url(text, plain_here=False), str)


@pytest.mark.parametrize("text", ["http://192.168.1.1/x", "http://files.example/x", "https://127.0.0.1/x"])
def test_a_sandbox_opens_no_other_door(text: str) -> None:
    assert isinstance(read_url(text, plain_here=True), str)


@given(st.text())
def test_any_text_is_a_url_or_a_reason(text: str) -> None:
    for prefix in ("", "https://", "https://files.example/"):
        found = read_url(prefix + text, plain_here=False)
        assert isinstance(found, str) or (found.scheme == "https" and found.raw_host)
