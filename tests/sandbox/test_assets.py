from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from flowreaper.model import Flow
from flowreaper.sandbox.assets import Asset, AssetUrls

ORIGIN = "http://127.0.0.1:8080"
URLS = AssetUrls(b"secret", life_s=60)
ASSET = Asset("1000000000000001", Flow("346699123", "cams-x"))
ADDRESS = URLS.make(ORIGIN, ASSET, 1000)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(names, st.just("") | names.filter(lambda space: space not in {"-", ".", ".."}))
def test_an_address_names_any_flow_also_as_a_http_library_writes_it(flow_id: str, space: str) -> None:
    asset = Asset("1", Flow(flow_id, space))
    address = URLS.make(ORIGIN, asset, 1000)
    assert URLS.read(address.removeprefix(ORIGIN), 1000) == asset
    assert URLS.read(URL(address).raw_path_qs, 1000) == asset


def test_an_address_opens_until_its_time_is_over() -> None:
    path = ADDRESS.removeprefix(ORIGIN)
    assert URLS.read(path, 1059.9) == ASSET
    assert URLS.read(path, 1060) is None


@pytest.mark.parametrize(
    ("part", "forged"),
    [
        ("346699123", "346699124"),
        ("cams-x", "cams-y"),
        ("1000000000000001", "1000000000000002"),
        ("Expires=1060", "Expires=9999"),
        ("Expires=1060", "Expires=x"),
        ("Expires=1060&", ""),
        ("Signature=", "Signature=a"),
        ("/flow-assets/", "/flow-assets/x/"),
    ],
)
def test_an_address_that_was_changed_opens_nothing(part: str, forged: str) -> None:
    assert part in ADDRESS
    assert URLS.read(ADDRESS.removeprefix(ORIGIN).replace(part, forged), 1000) is None


def test_an_address_of_another_sandbox_opens_nothing() -> None:
    assert AssetUrls(b"other", life_s=60).read(ADDRESS.removeprefix(ORIGIN), 1000) is None


@given(st.text())
def test_any_path_is_read_or_refused(text: str) -> None:
    assert URLS.read(f"/flow-assets/{text}", 1000) is None
    assert URLS.read(f"/flow-assets/1/-/1.json?{unquote(text)}", 1000) is None
