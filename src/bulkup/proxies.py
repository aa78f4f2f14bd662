"""Which proxy a request takes: one rule for all HTTP clients. Pure but for the system's settings.

The rule is that of curl and Go (golang.org/x/net/http/httpproxy): HTTP_PROXY, HTTPS_PROXY and
ALL_PROXY, lower case first; NO_PROXY names hosts with their subdomains, addresses, networks
(10.0.0.0/8), each with a port if wanted, or '*' for all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The URL of the proxy for a request to `url`, None for none."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    proxy = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "all_proxy")
    if not proxy:
        return _system_proxy(parts.scheme, host)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    for entry in _variable(environ, "no_proxy").replace(",", " ").split():
        if _is_named(host, port, entry.lower()):
            return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environ: Mapping[str, str], name: str) -> str:
    """The variable in lower case, else in any other; HTTP_PROXY is a request's header in CGI."""
    text = environ.get(name)
    if text is None and not (name == "http_proxy" and "REQUEST_METHOD" in environ):
        text = next((environ[found] for found in environ if found.lower() == name), None)
    return (text or "").strip()


def _is_named(host: str, port: int | None, entry: str) -> bool:
    """Whether an entry of NO_PROXY names the host."""
    if entry == "*":
        return True
    address = _address(host)
    if "/" in entry:
        try:
            return address is not None and ip_address(address) in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and (":" not in name or name.startswith("[")):
        if wanted != str(port):
            return False
        entry = name
    entry = entry.strip("[]")
    if address is not None:
        return address == _address(entry)
    domain = entry.removeprefix("*").strip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _address(host: str) -> str | None:
    """The IP address in its one form, None for a name."""
    try:
        return str(ip_address(host))
    except ValueError:
        return None


def _system_proxy(scheme: str, host: str) -> str | None:
    """The proxy of the settings of macOS and Windows."""
    if sys.platform in ("darwin", "win32"):
        from urllib.request import getproxies, proxy_bypass

        return None if proxy_bypass(host) else getproxies().get(scheme)
    return None
