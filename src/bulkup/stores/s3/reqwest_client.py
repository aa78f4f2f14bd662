"""pyreqwest's client as bulkup wants it, and its errors as ours."""

from __future__ import annotations

import re
import sys
from datetime import timedelta

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

from bulkup import __version__
from bulkup.errors import StoreUnreachable
from bulkup.stores.s3.tls import split_pem

AGENT = f"bulkup/{__version__}"
_CONNECT_TIMEOUT = timedelta(seconds=10)
STALL_TIMEOUT = timedelta(seconds=60)
"""Nothing was acknowledged, or nothing came, for so long: the connection is given up."""
_IDLE_TIMEOUT = timedelta(seconds=20)  # below the keep-alive limit of common servers

_URL_IN_MESSAGE = re.compile(r"\s*(?:for )?url \([^)]*\)|https?://\S+")


def build_client(ca_pem: bytes | None, *, reading: bool, has_tls: bool) -> Client:
    """A client that leaves every answer as it is; `reading` ones give up on a stalled body."""
    builder = (
        ClientBuilder()
        .user_agent(AGENT)
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .follow_redirects(False)
        .referer(False)
        .http1_only()
        .connect_timeout(_CONNECT_TIMEOUT)
        .pool_idle_timeout(_IDLE_TIMEOUT)
    )
    if sys.platform == "linux":
        builder = builder.tcp_user_timeout(STALL_TIMEOUT)
    if reading:
        builder = builder.read_timeout(STALL_TIMEOUT)
    if not has_tls:
        # Without TLS on any way, as lanes are, certificates are of no use, and to read those of
        # the system takes 5 to 25 ms, in which nothing else is done.
        return builder.no_proxy().danger_accept_invalid_certs(True).build()
    for certificate in split_pem(ca_pem or b""):
        builder = builder.add_root_certificate_pem(certificate)
    try:
        return builder.build()
    except PyreqwestError as error:
        raise unreachable(error) from error


def unreachable(error: PyreqwestError) -> StoreUnreachable:
    """What went wrong below HTTP, in words, without the URL."""
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or []]
    words = [_URL_IN_MESSAGE.sub("", text) for text in (error.message, *causes)]
    text = ": ".join(dict.fromkeys(word for word in words if word))
    hint = None
    if "certificate" in text or "UnknownIssuer" in text:
        hint = "Name the endpoint's certificate authority with --ca-bundle."
    elif "dns" in text.lower() or "Connect" in type(error).__name__:
        hint = "Check --endpoint-url, the network, and HTTP_PROXY/HTTPS_PROXY."
    return StoreUnreachable(text, hint=hint)
