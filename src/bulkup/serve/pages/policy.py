"""What a page may load, and from where."""

from __future__ import annotations

from collections.abc import Sequence

SANDBOX = (
    "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; sandbox allow-same-origin"
)
"""Of an original, whose bytes and type are those of whoever uploaded it: no scripts. The styles are
the browser's own, around a picture."""


def content_security_policy(buckets: Sequence[str] = ()) -> str:
    """Of a page that talks to this server, and to these origins, where signed URLs lead."""
    there = "".join(f" {origin}" for origin in buckets)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        f"media-src 'self'; connect-src 'self'{there}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
