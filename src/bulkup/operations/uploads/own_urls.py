"""URLs of the server's own, for destinations that sign none: a directory.

They are held to the same rules: one upload, one part of it, until they expire. What the upload may
hold is in its reservation. The secret lives as long as the server: after a restart a client asks
for a fresh URL, as it does when one has expired.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from urllib.parse import urlencode

ROUTE = "/uploads/{id}/body"
"""Below /api/v1."""


class OwnURLs:
    """Makes and checks them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, upload_id: str, part: int, expires_at: int) -> str:
        """Path and query, below /api/v1, of the URL for a part of an upload; 0: the whole."""
        query = {
            "part": part,
            "expires": expires_at,
            "signature": self._signature(upload_id, part, expires_at),
        }
        return f"{ROUTE.format(id=upload_id)}?{urlencode(query)}"

    def is_valid(
        self, upload_id: str, part: int, expires_at: int, signature: str, *, now: float
    ) -> bool:
        """Whether `sign` made it, and it has not expired."""
        expected = self._signature(upload_id, part, expires_at)
        return (
            hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
            and now < expires_at
        )

    def _signature(self, upload_id: str, part: int, expires_at: int) -> str:
        message = f"PUT\n{upload_id}\n{part}\n{expires_at}".encode()
        return hmac.digest(self._secret, message, sha256).hex()
