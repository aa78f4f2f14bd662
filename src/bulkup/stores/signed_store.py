"""A store that has signed URLs instead of credentials: single objects, by key."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import md5

from bulkup.errors import CredentialsRefused, StoreForbidden
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Stored
from bulkup.stores.broker.http import Clients
from bulkup.stores.s3.errors import Refusal, classify
from bulkup.stores.s3.headers import etag_of, http_moment, read_info, require_no_page
from bulkup.stores.s3.http1 import Response
from bulkup.stores.store import READ_BYTES, Capabilities, SignedAccess, SignedURL


class SignedStore:
    """The methods of an `ObjectStore` that processing and embedding need.

    The URLs decide what is possible: a put is exclusive if its URL was signed so, and the bytes are
    compared with their MD5 on the way, since nobody knew their SHA-256 when the URL was signed.
    """

    part_threshold_bytes: int | None = None
    capabilities = Capabilities()

    def __init__(self, url: str, prefix: str, probe: SignedURL, ca_pem: bytes | None) -> None:
        """`probe` reads an object that need not be there: any answer shows that the endpoint can be
        reached."""
        self.url = url
        self.prefix = prefix
        self._probe = probe
        self._clients = Clients(ca_pem)
        self._gets: dict[str, str] = {}
        self._puts: dict[str, SignedURL] = {}
        self._ahead_seconds = 0.0  # the endpoint's clock, compared with this machine's

    def limit_bodies(self, bytes_per_second: int) -> None:
        self._clients.limit_bodies(bytes_per_second)

    def now(self) -> float:
        """Seconds since 1970 by the endpoint's clock, which is the one that URLs expire by."""
        return time.time() + self._ahead_seconds

    def allow(self, access: SignedAccess) -> None:
        """These URLs may be used, until `forget`."""
        self._gets.update(access.gets)
        self._puts.update(access.puts)

    def forget(self, access: SignedAccess) -> None:
        for key in access.gets:
            self._gets.pop(key, None)
        for key in access.puts:
            self._puts.pop(key, None)

    async def check(self) -> None:
        """See ObjectStore."""
        response = await self._request("GET", self._probe.url, {})
        if response.status >= 500:
            raise self._error(response, "bucket")

    async def put(
        self,
        key: str,
        body: Body,
        *,
        digest: Digest,
        attributes: Attributes,
        exclusive: bool,
    ) -> Stored:
        """See ObjectStore."""
        signed = self._puts.get(key)
        if signed is None:
            raise StoreForbidden(f"key {key!r}: no URL was signed to put it")
        compared = b64encode(md5(body, usedforsecurity=False).digest()).decode()
        headers = {**signed.headers, "content-md5": compared}
        response = await self._request("PUT", signed.url, headers, body)
        if response.status >= 300:
            raise self._error(response, key)
        return Stored(etag_of(response))

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        """See ObjectStore; by a GET of the whole object, which is small."""
        response = await self._request("GET", self._url_of(key), {})
        if response.status >= 300:
            raise self._error(response, key)
        return read_info(key, response)

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        """See ObjectStore."""
        response = await self._request("GET", self._url_of(key), {})
        if response.status >= 300:
            raise self._error(response, key)
        return response.body

    async def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        """See ObjectStore."""
        end = "" if size_bytes is None else str(start + size_bytes - 1)
        headers = {"range": f"bytes={start}-{end}"} if start or end else {}
        async with self._clients.get(self._url_of(key), headers, {}) as (response, chunks):
            self._read_clock(response)
            if response.status >= 300:
                raise self._error(response, key)
            require_no_page(response, has_no_body=True)
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        """See ObjectStore."""
        await self._clients.close()

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = b""
    ) -> Response:
        response = await self._clients.request(method, url, headers, body)
        self._read_clock(response)
        if response.status < 300:
            require_no_page(response)
        return response

    def _read_clock(self, response: Response) -> None:
        moment = http_moment(response.get_header("date"))
        if moment is not None:
            self._ahead_seconds = moment - time.time()

    def _url_of(self, key: str) -> str:
        url = self._gets.get(key)
        if url is None:
            raise StoreForbidden(f"key {key!r}: no URL was signed to read it")
        return url

    @staticmethod
    def _error(response: Response, subject: str) -> Exception:
        error = classify(Refusal(response, subject, time.time(), conditional=True))
        if isinstance(error, CredentialsRefused):  # of one URL: others may be newer
            return StoreForbidden(f"key {subject!r}: {error}", code=error.code)
        return error
