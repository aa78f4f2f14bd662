"""URLs with which others may upload or read single objects ("presigned URLs").

Source: "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", Amazon S3 API
Reference. SDKs leave the payload unsigned and the headers to the client. Here the length, the hash
of the payload and the condition are signed headers: a client that leaves one out, or changes it,
makes another request than the one that was signed. What an endpoint makes of it is probed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from bulkup.content.digest import digest_of
from bulkup.errors import StoreRefused
from bulkup.model import Attributes, Digest
from bulkup.stores.s3.headers import checksum, object_headers, put_headers
from bulkup.stores.s3.http1 import Response
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.store import Capabilities, SignedURL, URLBindings

LENGTH = "content-length"
"""Signed, and not named to the client: every HTTP library sends it, browsers let nobody else."""

_PROBE = b"bulkup may send this, "
_OTHER = b"and whoever has the URL may not send that."


class S3SignedURLs(ABC):
    """The URL methods of S3Store; see `SignsURLs` for what they promise."""

    prefix: str
    capabilities: Capabilities
    _transport: S3Transport

    @abstractmethod
    async def delete(self, key: str) -> None: ...

    async def sign_put(
        self, key: str, *, size_bytes: int, digest: Digest, attributes: Attributes, seconds: int
    ) -> SignedURL:
        known = self.capabilities
        headers = object_headers(
            attributes,
            digest,
            checksums=known.checksums is not False,
            conditional=known.conditional_writes is not False,
        )
        headers |= {LENGTH: str(size_bytes), "x-amz-content-sha256": digest}
        return await self._signed("PUT", key, {}, headers, seconds)

    async def sign_put_later(
        self, key: str, *, attributes: Attributes, exclusive: bool, seconds: int
    ) -> SignedURL:
        """A URL to put bytes that do not exist yet: neither their length nor their digest is
        bound."""
        headers = put_headers(attributes, None)
        if exclusive and self.capabilities.conditional_writes is not False:
            headers["if-none-match"] = "*"
        return await self._signed("PUT", key, {}, headers, seconds)

    async def sign_part(
        self,
        key: str,
        upload_id: str,
        number: int,
        *,
        size_bytes: int,
        digest: Digest | None,
        seconds: int,
    ) -> SignedURL:
        headers = {LENGTH: str(size_bytes)}
        if digest is not None:
            headers["x-amz-content-sha256"] = digest
            if self.capabilities.checksums is not False:
                headers["x-amz-checksum-sha256"] = checksum(digest)
        query = {"partNumber": str(number), "uploadId": upload_id}
        return await self._signed("PUT", key, query, headers, seconds)

    async def sign_get(self, key: str, *, seconds: int) -> SignedURL:
        return await self._signed("GET", key, {}, {}, seconds)

    async def _signed(
        self,
        method: str,
        key: str,
        query: Mapping[str, str],
        headers: dict[str, str],
        seconds: int,
    ) -> SignedURL:
        url, expires_at = await self._transport.presign(
            method, key, query, headers, seconds=seconds
        )
        headers.pop(LENGTH, None)
        return SignedURL(method, url, headers, expires_at)

    async def probe_bindings(self, name: str) -> URLBindings:
        key = f"{self.prefix}.bulkup/{name}"

        async def put(body: bytes) -> Response:
            signed = await self.sign_put(
                key,
                size_bytes=len(_PROBE),
                digest=digest_of(_PROBE),
                attributes=Attributes("text/plain"),
                seconds=60,
            )
            return await self._transport.send_presigned("PUT", signed.url, signed.headers, body)

        try:
            digest = await _refuses(self._cleared(key, put), _OTHER[: len(_PROBE)])
            length = await _refuses(self._cleared(key, put), _OTHER)
            stored = await put(_PROBE)
            if stored.status >= 300:
                raise StoreRefused(
                    f"the endpoint refuses signed URLs (HTTP {stored.status})",
                    hint="Without them nobody can upload through bulkup serve.",
                )
            return URLBindings(length, digest, absence=await _refuses(put, _PROBE))
        finally:
            await self.delete(key)

    async def allows_origin(self, origin: str) -> bool:
        """Whether the bucket lets pages of `origin` upload, by a preflight request (Fetch standard,
        "CORS-preflight request")."""
        from bulkup.stores.s3.signed_urls import cors

        signed = await self.sign_put(
            f"{self.prefix}.bulkup/cors",
            size_bytes=len(_PROBE),
            digest=digest_of(_PROBE),
            attributes=Attributes("image/jpeg", {"name": "x", "mtime": "0"}),
            seconds=60,
        )
        wanted = sorted(signed.headers)
        headers = {
            "origin": origin,
            "access-control-request-method": "PUT",
            "access-control-request-headers": ",".join(wanted),
        }
        response = await self._transport.send_presigned("OPTIONS", signed.url, headers, b"")
        return response.status < 300 and cors.allows(response, origin, wanted)

    def _cleared(
        self, key: str, put: Callable[[bytes], Awaitable[Response]]
    ) -> Callable[[bytes], Awaitable[Response]]:
        """`put`, after which there is no object."""

        async def put_and_remove(body: bytes) -> Response:
            response = await put(body)
            if response.status < 300:
                await self.delete(key)
            return response

        return put_and_remove


async def _refuses(put: Callable[[bytes], Awaitable[Response]], body: bytes) -> bool:
    """Whether such a body is refused, for a reason that is the client's."""
    return 400 <= (await put(body)).status < 500
