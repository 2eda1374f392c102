"""Where a flow's JSON lies: addresses that open it for a time, without an access key. Pure.

The service keeps it in object storage, behind an address whose query is signed. The signature here is made up.
"""

import hmac
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote

from flowreaper.model import Flow

FLOW_JSON = "FlowJSON"
"""What requests for a flow's JSON are called beside the operations, in ledgers and scripts."""

ASSET_PATH = "/flow-assets/"
_OWN_SPACE = "-"


class Asset(NamedTuple):
    """What an address names."""

    account_id: str
    flow: Flow


class AssetUrls:
    """Makes addresses and reads them; `secret` is the sandbox's own. They stay valid for `life_s` seconds."""

    def __init__(self, secret: bytes, life_s: float) -> None:
        self._secret = secret
        self._life_s = life_s

    def make(self, origin: str, asset: Asset, at_s: float) -> str:
        """Return the address of a flow's JSON; `origin` is such as ``http://127.0.0.1:8080``."""
        account_id, (flow_id, space) = asset
        expires = str(int(at_s + self._life_s))
        name = f"{account_id}/{_quoted(space or _OWN_SPACE)}/{_quoted(flow_id)}.json"
        return f"{origin}{ASSET_PATH}{name}?Expires={expires}&Signature={self._signature(asset, expires)}"

    def read(self, raw_path: str, at_s: float) -> Asset | None:
        """Return what an address names, None where it is forged or too old."""
        path, _, query = raw_path.partition("?")
        parameters = parse_qs(query)
        expires, signature = (parameters.get(name, [""])[0] for name in ("Expires", "Signature"))
        parts = path.removeprefix(ASSET_PATH).split("/")
        if len(parts) != 3:  # noqa: PLR2004 -- account, space and file
            return None
        account_id, space, flow_id = (unquote(part) for part in (*parts[:2], parts[2].removesuffix(".json")))
        asset = Asset(account_id, Flow(flow_id, "" if space == _OWN_SPACE else space))
        # As bytes: what is foreign may hold more than ASCII. What is signed here has a number in `expires`.
        genuine = hmac.compare_digest(signature.encode(), self._signature(asset, expires).encode())
        return asset if genuine and at_s < int(expires) else None

    def _signature(self, asset: Asset, expires: str) -> str:
        # Over what is named, not over its spelling: HTTP libraries write a path in more than one way.
        named = "\n".join((asset.account_id, *asset.flow, expires))
        return hmac.digest(self._secret, named.encode(errors="surrogateescape"), "sha256").hex()


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
