"""Refuses foreign Host and Origin headers.

A page of another site can make a browser send requests here: by a name of its own that leads to
this address (DNS rebinding), and by forms and scripts.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bulkup.serve.problems import Problem
from bulkup.stores.urls import is_loopback

HEAD_BYTES = 16 << 10
"""Of a request's target and headers."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class AllowedHosts:
    """The names and addresses under which this server may be asked."""

    def __init__(self, listening: str, names: Iterable[str]) -> None:
        """`listening` is the address that the server listens at, `names` those of the settings."""
        machine = socket.gethostname().lower()
        self._names = {"localhost", listening.lower(), *(name.lower() for name in names)}
        if not is_loopback(listening):
            self._names |= {machine, f"{machine}.local"}

    def allow(self, host: str) -> bool:
        """Whether a Host header is one of them. Addresses are: no name can lead there by deceit."""
        name = host_name(host)
        return name in self._names or _is_address(name)


_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::[0-9]{0,5})?")


def host_name(host: str) -> str:
    """The name or address in a Host header, without the port and the brackets of IPv6; '' for what
    is no such header."""
    found = _HOST.fullmatch(host)
    return "" if found is None else (found[1] or found[2] or "").lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Hosts:
    """Passes on requests that are meant for this server, and changes that its own pages want."""

    def __init__(self, app: ASGIApp, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            _require_short_head(scope)
            if "transfer-encoding" in headers and "content-length" in headers:
                # A proxy before us may believe the other one: where does the next request begin?
                raise Problem(
                    400,
                    "the length of the body is given twice, in different ways",
                    headers={"Connection": "close"},
                )
            host = headers.get("host", "")
            if not self._allowed.allow(host):
                raise Problem(
                    421,
                    f"this server is not {host!r}",
                    hint="Name it in the setting serve.hosts if it is.",
                )
            if scope["method"] not in SAFE_METHODS:
                check_origin(headers, host)
        await self._app(scope, receive, send)


def _require_short_head(scope: Scope) -> None:
    """Raise Problem (431): a head that arrives at once is not measured by the connection."""
    size_bytes = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    size_bytes += len(scope.get("raw_path") or b"") + len(scope["query_string"])
    if size_bytes > HEAD_BYTES:
        raise Problem(431, "the head of the request is too large", headers={"Connection": "close"})


def check_origin(headers: Headers, host: str) -> None:
    """Raise Problem (403) when a browser says that a page of another origin asks, or, for a request
    with a cookie, when it does not say which page asks."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site")
    if origin is not None:
        if origin.partition("://")[2].lower() != host.lower():
            raise Problem(403, "a page of another origin asks for a change")
    elif site is not None:
        if site not in ("same-origin", "none"):
            raise Problem(403, "a page of another site asks for a change")
    elif "cookie" in headers and "authorization" not in headers:
        raise Problem(403, "the request has a cookie and no Origin")
