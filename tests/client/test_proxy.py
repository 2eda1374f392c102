"""Which proxy the environment sets, and which it must not."""

import pytest

from flowreaper.client.endpoint import Endpoint, parse_endpoint
from flowreaper.client.proxy import proxy_for
from flowreaper.errors import ConfigurationError

REMOTE = "cams.example.test"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def _no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machine_is_never_asked_for_through_a_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTP_PROXY", "socks5://proxy.example:3128")
    assert proxy_for(Endpoint("http", host, 80)) is None
    assert proxy_for(Endpoint("https", host, 443)) is None


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "https://u:p@proxy.example"}, "https://u:p@proxy.example"),
        ({"https_proxy": "HTTP://proxy.example"}, "HTTP://proxy.example"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "example.test"}, None),
        ({"HTTPS_PROXY": "http://proxy.example", "no_proxy": f"other, {REMOTE}"}, None),
        ({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.example", "NO_PROXY": "other.test"}, "http://proxy.example"),
    ],
)
def test_the_proxy_is_the_one_that_the_environment_names(
    environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(parse_endpoint(REMOTE)) == proxy


@pytest.mark.parametrize(
    "proxy",
    [
        f"socks5://user:{PASSWORD}@proxy.example:1080",
        f"user:{PASSWORD}@proxy.example:3128",
        f"http://user:{PASSWORD}@proxy.example:port",
        f"http://user:{PASSWORD}@proxy.example:99999",
        f"http://user:{PASSWORD}@[proxy",
        f"http://user:{PASSWORD}@",
        f"http:///{PASSWORD}",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_it(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY") as caught:
        proxy_for(parse_endpoint(REMOTE))
    assert PASSWORD not in str(caught.value)
