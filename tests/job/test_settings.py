"""What a user may say about a job, and what it then means."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowreaper.client.codes import TREATABLE
from flowreaper.client.endpoint import Endpoint, is_loopback, parse_endpoint, region_endpoint
from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable
from flowreaper.job.settings import RETRYABLE, Settings, default_concurrency, parse_treat
from flowreaper.model import ReplyClass, State

HOST = "cams.ap-southeast-1.aliyuncs.com"
PASSWORD = "hunter2"


@pytest.mark.parametrize(
    ("text", "endpoint", "url"),
    [
        (HOST, Endpoint("https", HOST, 443), f"https://{HOST}"),
        (f"{HOST}:443", Endpoint("https", HOST, 443), f"https://{HOST}"),
        (f"https://{HOST}/", Endpoint("https", HOST, 443), f"https://{HOST}"),
        (f"{HOST}:8443", Endpoint("https", HOST, 8443), f"https://{HOST}:8443"),
        ("HTTPS://Cams.Example.COM", Endpoint("https", "cams.example.com", 443), "https://cams.example.com"),
        ("localhost:8080", Endpoint("https", "localhost", 8080), "https://localhost:8080"),
        ("http://localhost", Endpoint("http", "localhost", 80), "http://localhost"),
        ("http://localhost:", Endpoint("http", "localhost", 80), "http://localhost"),
        ("http://127.0.0.1:8080", Endpoint("http", "127.0.0.1", 8080), "http://127.0.0.1:8080"),
        ("http://127.9.9.9:443", Endpoint("http", "127.9.9.9", 443), "http://127.9.9.9:443"),
        ("http://[::1]:8080", Endpoint("http", "::1", 8080), "http://[::1]:8080"),
        ("https://[2001:db8::1]", Endpoint("https", "2001:db8::1", 443), "https://[2001:db8::1]"),
        ("[2001:db8::1]:65535", Endpoint("https", "2001:db8::1", 65535), "https://[2001:db8::1]:65535"),
        (f"{'a' * 63}.test", Endpoint("https", f"{'a' * 63}.test", 443), f"https://{'a' * 63}.test"),
    ],
)
def test_an_endpoint_is_a_host_a_host_and_port_or_a_url(text: str, endpoint: Endpoint, url: str) -> None:
    assert parse_endpoint(text) == endpoint
    assert endpoint.url == url
    assert endpoint.url == f"{endpoint.scheme}://{endpoint.host_header}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "give a host name"),
        (" ", "give a host name"),
        (f" {HOST}", "give a host name"),
        (f"{HOST} ", "give a host name"),
        ("ftp://localhost", "give a host name"),
        ("https://", "give a host name"),
        ("https:///path", "give a host name"),
        ("://host", "give a host name"),
        ("under_score.example", "give a host name"),
        ("-dash.example", "give a host name"),
        ("dash-.example", "give a host name"),
        ("two..dots", "give a host name"),
        ("dot.", "give a host name"),
        (f"{'a' * 64}.test", "give a host name"),
        (".".join(["a" * 60] * 5), "give a host name"),
        ("bücher.example", "give a host name"),
        ("\uff11\uff12\uff17.0.0.1", "give a host name"),
        ("xn--a\u200b.example", "control character"),
        ("cams\t.example", "control character"),
        ("cams.example\n", "control character"),
        ("\x1b[31mred", "control character"),
        ("[::1", "Invalid IPv6"),
        ("::1", "ort"),
        ("host:port", "ort"),
        ("host:65536", "ort"),
        ("host:-1", "ort"),
        ("host:٨٠", "ort"),
        ("host:0", "1 to 65535"),
        (f"{HOST}/path", "leave out everything after"),
        (f"{HOST}?Action=DeleteFlow", "leave out everything after"),
        (f"{HOST}#top", "leave out everything after"),
        (f"http://{HOST}", "plain http"),
        ("http://localhost.example", "plain http"),
        ("http://127.0.0.1.example", "plain http"),
        ("http://2130706433", "plain http"),
        ("http://0.0.0.0", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("http://[::2]", "plain http"),
    ],
)
def test_what_is_no_endpoint_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        parse_endpoint(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{PASSWORD}@{HOST}",
        f"user:{PASSWORD}@{HOST}",
        f"http://user:{PASSWORD}@localhost",
        f"ftp://user:{PASSWORD}@{HOST}",
        f"https://user:{PASSWORD}@under_score",
        f"https://user:{PASSWORD}@[bad",
        f"https://user:{PASSWORD}@{HOST}:port",
        f"https://user:{PASSWORD}@{HOST}/path",
        f"https://us\ner:{PASSWORD}@{HOST}",
    ],
)
def test_a_user_and_password_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError, match="must not hold a user or a password") as caught:
        parse_endpoint(text)
    assert PASSWORD not in str(caught.value)


pieces = st.sampled_from(
    ["http", "https", "ftp", "://", ":", "/", "@", "[", "]", "::1", "127.0.0.1", "localhost", "a", ".", "-"]
) | st.sampled_from(
    ["%", "?", "#", "\\", "0", "80", "65536", " ", "\n", "\t", "\xa0", "é", "\ud800", "\uff0e", "v1.", "xn--"]
)


@given(st.text() | st.lists(pieces, max_size=10).map("".join))
def test_any_text_is_an_endpoint_that_reads_back_the_same_or_a_configuration_error(text: str) -> None:
    try:
        endpoint = parse_endpoint(text)
    except ConfigurationError as error:
        message = str(error)
        assert printable(message, len(message)) == message
        return
    assert parse_endpoint(endpoint.url) == endpoint
    assert endpoint.scheme == "https" or is_loopback(endpoint.host)
    assert 1 <= endpoint.port <= 65535


@pytest.mark.parametrize("region", ["ap-southeast-1", "cn-hangzhou", "eu-central-1", "x"])
def test_a_region_names_its_host(region: str) -> None:
    assert region_endpoint(region) == Endpoint("https", f"cams.{region}.aliyuncs.com", 443)


@pytest.mark.parametrize(
    "region", ["", "AP", "a.b", "a/b", "a@b", "-a", "a-", "a--b", "é", "a\n", "\x1b", "a" * 64]
)
def test_what_cannot_be_a_region_is_refused(region: str) -> None:
    with pytest.raises(ConfigurationError, match="ap-southeast-1") as caught:
        region_endpoint(region)
    assert str(caught.value).isprintable()


def test_codes_are_given_their_meaning() -> None:
    words = ("Flow.Locked=transient", "X=ABSENT", " Y = refused ", "a=b=fatal", "Busy=throttled")
    assert parse_treat(words) == {
        "Flow.Locked": ReplyClass.TRANSIENT,
        "X": ReplyClass.ABSENT,
        "Y": ReplyClass.REFUSED,
        "a=b": ReplyClass.FATAL,
        "Busy": ReplyClass.THROTTLED,
    }
    assert parse_treat(()) == {}


def test_the_last_meaning_of_a_code_counts() -> None:
    assert parse_treat(("X=fatal", "X=absent")) == {"X": ReplyClass.ABSENT}


@pytest.mark.parametrize("kind", ReplyClass)
def test_only_some_classes_can_be_given_and_never_deleted(kind: ReplyClass) -> None:
    if kind in TREATABLE:
        assert parse_treat((f"X={kind}",)) == {"X": kind}
    else:
        with pytest.raises(ConfigurationError, match="where CLASS is"):
            parse_treat((f"X={kind}",))
    assert ReplyClass.DELETED not in TREATABLE


@pytest.mark.parametrize("word", ["", "X", "X=", "=absent", " =absent", "X=nonsense", "X\x1b=", "X:absent"])
def test_a_meaning_that_cannot_be_read_is_refused(word: str) -> None:
    with pytest.raises(ConfigurationError, match="write CODE=CLASS") as caught:
        parse_treat((word,))
    assert str(caught.value).isprintable()


def test_ok_always_means_deleted() -> None:
    with pytest.raises(ConfigurationError, match="OK"):
        parse_treat(("OK=absent",))


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 0.001},
        {"rate": 100_000.0},
        {"concurrency": 1},
        {"concurrency": 10_000},
        {"timeout_s": 0.001},
        {"timeout_s": 3600},
        {"max_attempts": 1},
        {"outage_limit_s": 0.0},
        {"outage_limit_s": math.inf},
        {"max_attempts": 10**30},
        {"max_refusals": 10**30},
        {"limit": 10**30},
        {"max_refusals": 0},
        {"limit": 1},
        {"limit": None},
        {"retry": RETRYABLE},
    ],
)
def test_values_at_the_edge_of_their_range_are_taken(options: dict[str, Any]) -> None:
    settings = Settings(endpoint=Endpoint("https", HOST, 443), **options)
    assert {name: getattr(settings, name) for name in options} == options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rate": 0.0}, "^rate must be from 0.001 to 100,000 .calls per second., not 0.0$"),
        ({"rate": 1e-300}, "^rate must be .*, not 1e-300"),
        ({"rate": 1e308}, "^rate must be .*, not 1e.308"),
        ({"rate": 100_001.0}, "^rate must be .*, not 100001.0"),
        (
            {"concurrency": 10**9},
            "^concurrency must be from 1 to 10,000 .calls at once., not 1000000000$",
        ),
        ({"timeout_s": math.inf}, "^timeout_s must be .*, not inf"),
        ({"timeout_s": 1e308}, "^timeout_s must be .*, not 1e"),
        ({"rate": -5.0}, "rate"),
        ({"rate": math.inf}, "^rate must be .*, not inf"),
        ({"rate": math.nan}, "^rate must be .*, not nan"),
        ({"concurrency": 0}, "^concurrency must be .*, not 0"),
        ({"timeout_s": 0.0}, "^timeout_s must be .*, not 0.0"),
        ({"timeout_s": math.nan}, "^timeout_s must be .*, not nan"),
        ({"timeout_s": 3600.1}, "^timeout_s must be .*, not 3600.1"),
        ({"max_attempts": 0}, "^max_attempts must be .*, not 0"),
        ({"outage_limit_s": -1.0}, "^outage_limit_s must be .*, not -1.0"),
        ({"outage_limit_s": math.nan}, "^outage_limit_s must be .*, not nan"),
        ({"max_refusals": -1}, "^max_refusals must be .*, not -1"),
        ({"limit": 0}, "^limit must be .*, not 0"),
        ({"limit": -1}, "^limit must be .*, not -1"),
        ({"retry": (State.DELETED,)}, "deleted are never called again"),
        ({"retry": (State.REFUSED, State.PENDING)}, "retry takes refused, gave_up, absent or kept"),
    ],
)
def test_values_out_of_range_are_refused_by_name(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Settings(endpoint=Endpoint("https", HOST, 443), **options)


@pytest.mark.parametrize(
    ("rate", "calls"), [(5.0, 50), (0.1, 10), (5.01, 51), (100.0, 1000), (1e9, 1000), (math.inf, 1000)]
)
def test_the_default_concurrency_holds_the_rate_at_ten_seconds_an_answer(rate: float, calls: int) -> None:
    assert default_concurrency(rate) == calls


@given(st.floats())
def test_any_rate_has_a_default_concurrency_so_that_a_bad_one_gets_its_message(rate: float) -> None:
    assert 10 <= default_concurrency(rate) <= 1000


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("0.0.0.0", False),  # noqa: S104 -- nothing is bound
        ("::", False),
        ("192.168.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


MIDNIGHT = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limits", "stops_at"),
    [
        ({}, None),
        ({"stop_at": MIDNIGHT + timedelta(hours=6)}, MIDNIGHT + timedelta(hours=6)),
        ({"max_duration_s": 90.0}, MIDNIGHT + timedelta(seconds=90)),
        (
            {"stop_at": MIDNIGHT + timedelta(hours=6), "max_duration_s": 90.0},
            MIDNIGHT + timedelta(seconds=90),
        ),
        ({"stop_at": MIDNIGHT + timedelta(hours=6), "max_duration_s": 1e6}, MIDNIGHT + timedelta(hours=6)),
    ],
)
def test_a_run_stops_at_whichever_comes_first(limits: dict[str, Any], stops_at: datetime | None) -> None:
    settings = Settings(endpoint=Endpoint("https", HOST, 443), **limits)
    assert settings.stops_at(MIDNIGHT) == stops_at


@pytest.mark.parametrize(
    ("service", "sts"),
    [
        (f"https://{HOST}", "https://sts.ap-southeast-1.aliyuncs.com"),
        (f"https://{HOST}:8443", "https://sts.ap-southeast-1.aliyuncs.com"),
        ("https://cams.cn-hangzhou.aliyuncs.com", "https://sts.cn-hangzhou.aliyuncs.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("https://proxy.example.com", "https://sts.aliyuncs.com"),
        ("https://cams.ap-southeast-1.aliyuncs.com.example.com", "https://sts.aliyuncs.com"),
        ("https://cams.a.b.aliyuncs.com", "https://sts.aliyuncs.com"),
    ],
)
def test_sts_is_asked_where_the_service_is_unless_another_place_is_named(service: str, sts: str) -> None:
    settings = Settings(endpoint=parse_endpoint(service))
    assert settings.sts.url == sts
    elsewhere = parse_endpoint("sts.example.com")
    assert replace(settings, sts_endpoint=elsewhere).sts == elsewhere


@pytest.mark.parametrize("number", ["", "12a", "12 34", "-1", "٣", "1" * 33, "acs:ram::1:user/x", "1\n"])
def test_an_expected_account_is_a_number(number: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^expect_account must be an account's number") as raised:
        Settings(endpoint=Endpoint("https", HOST, 443), expect_account=number)
    assert raised.value.setting == "expect_account"
    assert str(raised.value).isprintable()
