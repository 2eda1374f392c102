"""Which HTTP proxy the environment sets for an endpoint."""

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from flowreaper.client.endpoint import Endpoint, is_loopback
from flowreaper.errors import ConfigurationError


def proxy_for(endpoint: Endpoint) -> str | None:
    """Return the proxy's URL, None for a direct connection (HTTPS_PROXY, NO_PROXY and the like).

    Call it once: aiohttp's own look-up (trust_env) starts a thread for every call, and reads ~/.netrc.
    A loopback endpoint never has a proxy.

    Raises:
        ConfigurationError: the proxy is no http or https URL with a host.
    """
    if is_loopback(endpoint.host) or proxy_bypass(endpoint.host):
        return None
    proxy = getproxies().get(endpoint.scheme)
    # The messages do not repeat the value: it may hold a password.
    if proxy and not proxy.lower().startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{endpoint.scheme.upper()}_PROXY names a proxy that is neither http:// nor https://: "
            "set it to an HTTP proxy, or unset it"
        )
    if proxy and not _has_host(proxy):
        raise ConfigurationError(
            f"{endpoint.scheme.upper()}_PROXY is no URL of a host and a port: write it as http://proxy.example:3128"
        )
    return proxy


def _has_host(url: str) -> bool:
    try:
        return bool(URL(url).host)
    except ValueError:
        return False
