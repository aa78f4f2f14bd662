"""What a page may load, and from where."""

from __future__ import annotations

from collections.abc import Sequence


def content_security_policy(buckets: Sequence[str] = ()) -> str:
    """Of a page that talks to this server, and to these origins, where signed URLs lead."""
    there = "".join(f" {origin}" for origin in buckets)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        f"media-src 'self'; connect-src 'self'{there}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
