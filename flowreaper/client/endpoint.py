"""Where the service is: hosts and regions, and how an endpoint is written. Pure."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from flowreaper.errors import ConfigurationError
from flowreaper.escaping import printable

DEFAULT_REGION = "ap-southeast-1"
"""The only region with a documented endpoint."""

STS_HOST = "sts.aliyuncs.com"
"""Where STS is for a service whose region is not known."""

_OF_A_REGION = re.compile(r"cams\.([a-z0-9-]+)\.aliyuncs\.com")
_REGION = re.compile(r"(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*")
# RFC 1123. For an empty or too long label Python's resolver raises an exception that is no OSError.
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls are sent. `host` is a name or an address, IPv6 without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def host_header(self) -> str:
        """The Host header's value: with the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The endpoint as a URL without a path."""
        return f"{self.scheme}://{self.host_header}"


def parse_endpoint(text: str) -> Endpoint:
    """Read an endpoint: a host, ``host:port``, or an http(s) URL without path, query or user.

    Raises:
        ConfigurationError: it is none of these, or plain http to another machine.
    """
    if "@" in text:
        # The message does not repeat it: the part before the @ may be a secret.
        raise ConfigurationError(
            "the endpoint must not hold a user or a password: leave out everything up to the @"
        )
    shown = printable(text)
    if not text.isprintable():
        # urlsplit drops some of these, which would make it another host.
        raise ConfigurationError(
            f"endpoint {shown}: leave out what cannot be printed (a line break, a control character)"
        )
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"endpoint {shown}: {error}") from None
    host = parts.hostname or ""
    if parts.scheme not in _DEFAULT_PORTS or not (_HOST.fullmatch(host) or _is_address(host)):
        raise ConfigurationError(f"endpoint {shown}: give a host name or an https URL")
    if port == 0:
        raise ConfigurationError(f"endpoint {shown}: a port is a number from 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigurationError(f"endpoint {shown}: leave out everything after the host and port")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"endpoint {shown}: plain http would expose every call; use https (http is for a sandbox on this machine)"
        )
    return Endpoint(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def region_endpoint(region: str) -> Endpoint:
    """Return a region's endpoint; only ap-southeast-1's is documented.

    Raises:
        ConfigurationError: this cannot be the name of a region.
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError(f"region {printable(region)}: give a region id such as {DEFAULT_REGION}")
    return Endpoint("https", f"cams.{region}.aliyuncs.com", 443)


def sts_endpoint(service: Endpoint) -> Endpoint:
    """Return where STS is asked whose the access key is: in the region of the service's host, where that names one.

    A service on this machine, such as a sandbox, answers for STS itself.
    """
    if is_loopback(service.host):
        return service
    region = _OF_A_REGION.fullmatch(service.host)
    return Endpoint("https", f"sts.{region[1]}.aliyuncs.com" if region else STS_HOST, 443)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
