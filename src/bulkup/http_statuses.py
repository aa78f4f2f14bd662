"""HTTP statuses below 500 that a later try may not meet again, whoever sends them. Pure."""

from __future__ import annotations

from typing import Final

PASSING_STATUSES: Final = frozenset((408, 421, 423, 425, 460, 499))
"""Request Timeout, Misdirected Request, Locked, Too Early (RFC 9110, 4918, 8470); 460 and 499 are
said of a client that hung up (Amazon's load balancers; nginx, and MinIO as ClientDisconnected)."""
