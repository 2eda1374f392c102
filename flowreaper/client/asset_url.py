"""Which URLs a flow's file may be fetched from, and which addresses they may lead to. Pure.

The URL comes from the service's answer, which is foreign text: it must not make this machine ask its own neighbours.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import quote

from yarl import URL

from flowreaper.client.endpoint import is_loopback

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_URL_LIMIT = 16_384
# Resolvers read such labels as parts of an IPv4 address: 127.1, 0x7f.1, 2130706433.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE)
_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def read_url(text: str, *, plain_here: bool) -> URL | str:
    """Return the URL as it is to be sent, or why it is refused, without repeating it: its query is a secret.

    `plain_here`: plain http to this machine is allowed, as for a sandbox.
    """
    if len(text) > _URL_LIMIT:
        return f"its URL is longer than {_URL_LIMIT:,} characters"
    if _UNSAFE.search(text):
        return "its URL holds a blank, a backslash or a control character"
    try:
        # A signed query must arrive byte for byte as it was given, so only what is not ASCII is encoded.
        url = URL(quote(text, safe=_PRINTABLE), encoded=True).with_fragment(None)
        return _why_refused(url, plain_here=plain_here) or url
    except (ValueError, TypeError):  # TypeError: yarl, of some texts without a host
        return "its URL cannot be read"


def _why_refused(url: URL, *, plain_here: bool) -> str:
    host = url.raw_host or ""
    if url.raw_user is not None or url.raw_password is not None or "@" in url.raw_authority:
        return "its URL holds a user or a password"
    if not host or not url.port:
        return "its URL names no host"
    if plain_here and url.scheme == "http" and is_loopback(host):
        return ""
    return "its URL is not https" if url.scheme != "https" else _why_no_host(host)


def _why_no_host(host: str) -> str:
    if is_address(host):
        return "" if is_public(host) else "its URL leads to an address that is not public"
    labels = host.rstrip(".").lower().split(".")
    if not _NAME.fullmatch(host) or _NUMBER.fullmatch(labels[-1]):
        return "its URL names no host"
    return "its URL leads to this machine" if labels[-1] == "localhost" else ""


def is_address(host: str) -> bool:
    """Return whether a host is written as an address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Return whether an address is one of the Internet's: of one host, not of this machine or network.

    What stands for an IPv4 address (mapped, NAT64) is judged by that one, too. Tunnels (6to4, Teredo) lead anywhere.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    # What stands behind a percent sign is an interface of this machine.
    return "%" not in address and all(map(_is_public, _stands_for(found)))


def _stands_for(address: _Address) -> Sequence[_Address]:
    """Return the addresses of which each must be public: its own, and what it holds."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if inner := address.ipv4_mapped or _behind_nat64(address):
        return [inner]
    return [address]


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # Python 3.13 takes 6to4 for private, as RFC 7526 has retired it; earlier ones do not.
        is_tunnel = address.sixtofour is not None or address.teredo is not None
        if is_tunnel or address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _behind_nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None
