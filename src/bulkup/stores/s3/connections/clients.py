"""What sends requests to the present address of a bucket.

Small requests go through the connection pool, and without TLS also whole bodies of some MiB; all
others go through pyreqwest.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from bulkup.errors import StoreUnreachable
from bulkup.model import Body
from bulkup.proxies import proxy_for
from bulkup.stores.s3.connections.connection import (
    AnswerTooLarge,
    ConnectionBroken,
    ConnectionStalled,
)
from bulkup.stores.s3.connections.pool import ConnectionPool, NoConnection, pool_for
from bulkup.stores.s3.endpoint import Address
from bulkup.stores.s3.http1 import BODY_LIMIT_BYTES, Response
from bulkup.stores.s3.reqwest_client import AGENT, ReqwestClient
from bulkup.stores.store import too_large

_SMALL_BYTES = 256 * 1024
_WHOLE_BYTES = 16 * 1024 * 1024
"""Without TLS the pool takes such bodies, too: 400 photos took 2 to 6 % less time than through
pyreqwest, and 30 MB less memory. To encrypt them is better done in its threads (16 % more time)."""


class S3Request(NamedTuple):
    """A request for a key, or for the bucket; its headers are signed."""

    method: str
    key: str | None
    headers: dict[str, str]
    query: str
    body: Body
    payload_sha256: str
    limit_seconds: float
    most_bytes: int | None = None  # of a response that is known to be small
    into: memoryview | None = None  # where the body of a success may be written to

    @property
    def has_no_body(self) -> bool:
        """Whether the response has no body, or it is written elsewhere."""
        return self.method == "HEAD" or self.into is not None


class AddressClients:
    """The connection pool and pyreqwest, made anew when the address changes. For one event loop."""

    def __init__(self, ca_pem: bytes | None, *, uses_pool: bool) -> None:
        self._ca_pem = ca_pem
        self._uses_pool = uses_pool
        self._address: Address | None = None  # that pool and client are for
        self._pool: ConnectionPool | None = None
        self._bytes_per_second: int | None = None
        self.client = ReqwestClient(ca_pem, has_tls=True, proxy=None)

    def limit_bodies(self, bytes_per_second: int) -> None:
        """Send and receive no body of more than some KiB faster."""
        self._bytes_per_second = self.client.bytes_per_second = bytes_per_second

    @property
    def pooled_bytes(self) -> int:
        """The pool takes bodies of up to this size."""
        is_plain = self._pool is not None and not self._pool.has_tls
        return _WHOLE_BYTES if is_plain and self._bytes_per_second is None else _SMALL_BYTES

    async def exchange(self, address: Address, path: str, request: S3Request) -> Response:
        """One request for a path with its query, one response of whatever status. Raises
        StoreUnreachable, and ObjectDamaged for more than `most_bytes`.

        The hot path: every line here costs.
        """
        pool = self.connect(address)
        method, key, headers, _, body, _, limit_seconds, most_bytes, into = request
        is_small = most_bytes is not None
        if pool is not None and self._is_for_pool(method, key, len(body), is_small=is_small):
            most = most_bytes or BODY_LIMIT_BYTES
            try:
                return await pool.request(method, path, headers, body, limit_seconds, most, into)
            except AnswerTooLarge as error:
                if is_small:
                    raise too_large(key) from error
                raise unreachable(error) from error
            except ConnectionBroken as error:
                raise unreachable(error) from error
            except NoConnection:
                pass  # pyreqwest has more ways to connect, and better error messages
        url = address.origin + path
        if most_bytes is not None:
            response = await self.client.read(url, headers, most_bytes)
            if response is None:
                raise too_large(key)
            return response
        return await self.client.request(method, url, headers, body, limit_seconds)

    def _is_for_pool(
        self, method: str, key: str | None, size_bytes: int, *, is_small: bool
    ) -> bool:
        """Whether a body of `size_bytes` and the response are small enough for the pool, and the
        response comes soon. `is_small`: so much is known of the response."""
        if is_small:
            return self._bytes_per_second is None
        if method == "PUT":  # an empty one may be a copy, which takes its time
            return 0 < size_bytes <= self.pooled_bytes
        return method == "HEAD" or (method == "GET" and key is None)

    def connect(self, address: Address) -> ConnectionPool | None:
        """The pool for this address; None when all requests are pyreqwest's."""
        if address is not self._address:
            self._address = address
            if self._pool is not None:
                self._pool.close()
            pool = pool_for(address.origin, address.host, AGENT, self._ca_pem)
            has_tls = pool is None or pool.has_tls  # a proxy may be reached over TLS, too
            proxy = proxy_for(address.origin, os.environ)
            self.client = ReqwestClient(
                self._ca_pem,
                has_tls=has_tls,
                proxy=proxy,
                bytes_per_second=self._bytes_per_second,
            )
            self._pool = pool if self._uses_pool else None
        return self._pool

    async def close(self) -> None:
        """Close the connections. May be called twice; a later request opens new ones."""
        if self._pool is not None:
            self._pool.close()
        await self.client.close()


def unreachable(error: ConnectionBroken) -> StoreUnreachable:
    """The error for a connection that broke, or on which nothing moved."""
    return StoreUnreachable(str(error), is_stalled=isinstance(error, ConnectionStalled))
