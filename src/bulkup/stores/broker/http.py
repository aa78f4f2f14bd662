"""Connections to the server, and to wherever its URLs lead."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

from bulkup.errors import StoreBroken
from bulkup.model import Body
from bulkup.proxies import proxy_for
from bulkup.stores.s3.http1 import Response
from bulkup.stores.s3.reqwest_client import STALL_SECONDS, ReqwestClient

REDIRECTS = 3


class Clients:
    """A client for each address that is asked for."""

    def __init__(self, ca_pem: bytes | None) -> None:
        self._ca_pem = ca_pem
        self._by_origin: dict[str, ReqwestClient] = {}
        self._bytes_per_second: int | None = None

    def limit_bodies(self, bytes_per_second: int) -> None:
        """Send and receive no body faster."""
        self._bytes_per_second = bytes_per_second
        for client in self._by_origin.values():
            client.bytes_per_second = bytes_per_second

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = b""
    ) -> Response:
        """One request; its response, of whatever status. Raises StoreUnreachable."""
        client = self._client(url)
        return await client.request(method, url, dict(headers), body, STALL_SECONDS)

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str], secret: Mapping[str, str]
    ) -> AsyncIterator[tuple[Response, AsyncIterator[bytes]]]:
        """One GET, which may be led elsewhere; `secret` headers are sent to the first address
        only. The response of a refusal has its body, and no chunks."""
        origin = origin_of(url)
        for _ in range(REDIRECTS):
            sent = {**headers, **(secret if origin_of(url) == origin else {})}
            async with self._client(url).get(url, sent) as (response, chunks):
                location = response.get_header("location")
                if response.status not in (302, 303, 307, 308) or location is None:
                    yield response, chunks
                    return
            url = urljoin(url, location)
        raise StoreBroken("the server leads from one URL to the next without end")

    async def close(self) -> None:
        """Close the connections. May be called twice."""
        for client in self._by_origin.values():
            await client.close()

    def _client(self, url: str) -> ReqwestClient:
        origin = origin_of(url)
        found = self._by_origin.get(origin)
        if found is None:
            proxy = proxy_for(origin, os.environ)
            has_tls = origin.startswith("https:") or proxy is not None
            found = ReqwestClient(
                self._ca_pem,
                has_tls=has_tls,
                proxy=proxy,
                bytes_per_second=self._bytes_per_second,
            )
            self._by_origin[origin] = found
        return found


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
