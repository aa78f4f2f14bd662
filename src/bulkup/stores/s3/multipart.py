"""Objects sent in parts: the S3 multipart operations.

Sizes and limits: "Amazon S3 multipart upload limits", Amazon S3 User Guide: 10,000 parts of 5 MiB
to 5 GiB, the last one of any size.
"""

from __future__ import annotations

import builtins  # `list` is a method of the store
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from hashlib import sha256

from bulkup.errors import KeyTaken, ObjectMissing
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.listing_pages import read_pages
from bulkup.stores.s3.endpoint import require_addressable
from bulkup.stores.s3.headers import checksum, put_headers
from bulkup.stores.s3.http1 import Response
from bulkup.stores.s3.sigv4 import encode_query
from bulkup.stores.s3.transport import PATIENT_SECONDS, S3Transport
from bulkup.stores.s3.xml import read_parts, read_uploads, read_value, write_completion
from bulkup.stores.store import Capabilities

COPY_PART_BYTES = 1024**3


class S3Parts(ABC):
    """The part methods of S3Store; see `PartStore` for what they promise."""

    capabilities: Capabilities

    def __init__(self, transport: S3Transport) -> None:
        self._transport = transport

    @abstractmethod
    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo: ...

    @property
    def _has_checksums(self) -> bool:
        return self.capabilities.checksums is not False

    async def begin_parts(
        self,
        key: str,
        *,
        digest: Digest | None,
        attributes: Attributes,
        size_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> str:
        """CreateMultipartUpload. `digest`, if known, becomes x-amz-meta-sha256; with checksums the
        endpoint keeps a SHA-256 for each part."""
        require_addressable(key)
        headers = put_headers(attributes, digest)
        if self._has_checksums:
            headers["x-amz-checksum-algorithm"] = "SHA256"
            headers["x-amz-checksum-type"] = "COMPOSITE"
        response = await self._transport.send("POST", key, headers, query="uploads=")
        return read_value(response.body, "InitiateMultipartUploadResult", "UploadId")

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        """UploadPart; the endpoint compares the part's SHA-256."""
        headers = {"x-amz-checksum-sha256": checksum(digest)} if self._has_checksums else {}
        query = encode_query({"partNumber": str(number), "uploadId": upload_id})
        response = await self._transport.send(
            "PUT", key, headers, query=query, body=body, payload_sha256=digest
        )
        return Part(number, len(body), self._transport.etag_of(response, key) or "", digest)

    async def list_parts(self, key: str, upload_id: str) -> builtins.list[Part]:
        """ListParts; with digests only where the endpoint keeps checksums."""

        async def ask(query: dict[str, str]) -> Response:
            return await self._transport.send("GET", key, {}, query=encode_query(query))

        pages = read_pages(
            ask,
            read_parts,
            {"uploadId": upload_id},
            position=lambda part: part.number.to_bytes(8),
        )
        return [part async for page in pages for part in page]

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        """CompleteMultipartUpload. The response may be an error with status 200: S3 sends the
        status before it knows.

        With `exclusive` a HEAD comes first, since not all endpoints with conditional puts obey the
        condition here. After a lost response ObjectMissing is raised although the object exists:
        use `head`.
        """
        if exclusive:
            await self.require_absent(key)
        body = write_completion(parts, checksums=self._has_checksums)
        headers = {"content-type": "application/xml"}
        if exclusive and self.capabilities.conditional_writes:
            headers["if-none-match"] = "*"
        response = await self._transport.send(
            "POST",
            key,
            headers,
            query=encode_query({"uploadId": upload_id}),
            body=body,
            payload_sha256=sha256(body).hexdigest(),
            limit_seconds=PATIENT_SECONDS,
        )
        return Stored(self._read_etag(response.body, key, "CompleteMultipartUploadResult") or None)

    async def abort_parts(self, key: str, upload_id: str) -> None:
        with suppress(ObjectMissing):
            query = encode_query({"uploadId": upload_id})
            await self._transport.send("DELETE", key, {}, query=query)

    async def list_uploads(
        self, prefix: str = ""
    ) -> AsyncIterator[builtins.list[tuple[str, str, float]]]:
        # not encoding-type=url: Ceph then encodes the keys without saying so
        query = {"uploads": "", "prefix": prefix}
        known: set[str] = set()

        def read(
            body: bytes,
        ) -> tuple[builtins.list[tuple[str, str, float]], dict[str, str] | None]:
            page, following = read_uploads(body)
            fresh = [found for found in page if found[1] not in known]
            known.update(upload_id for _, upload_id, _ in fresh)
            return fresh, following

        async for page in read_pages(self._transport.get_bucket, read, query):
            yield page

    async def copy_in_parts(
        self, source_key: str, source: str, key: str, size_bytes: int
    ) -> Stored:
        """Copy an object that is too large for CopyObject; leaves no open upload behind. `source`
        is /bucket/encoded-key."""
        info = await self.head(source_key)
        attributes = Attributes(
            content_type=info.content_type or "application/octet-stream", metadata=info.metadata
        )
        upload_id = await self.begin_parts(key, digest=info.digest, attributes=attributes)
        try:
            parts = []
            for number, first in enumerate(range(0, size_bytes, COPY_PART_BYTES), 1):
                last = min(first + COPY_PART_BYTES, size_bytes) - 1
                headers = {
                    "x-amz-copy-source": source,
                    "x-amz-copy-source-range": f"bytes={first}-{last}",
                }
                query = encode_query({"partNumber": str(number), "uploadId": upload_id})
                response = await self._transport.send(
                    "PUT", key, headers, query=query, limit_seconds=PATIENT_SECONDS
                )
                etag = self._read_etag(response.body, key, "CopyPartResult")
                parts.append(Part(number, last - first + 1, etag))
            return await self.complete_parts(key, upload_id, parts, exclusive=False)
        except BaseException:
            await self.abort_parts(key, upload_id)
            raise

    async def require_absent(self, key: str) -> None:
        """Raise KeyTaken unless HEAD finds nothing."""
        with suppress(ObjectMissing):
            await self.head(key)
            raise KeyTaken(f"key {key!r} holds an object already")

    def _read_etag(self, body: bytes, key: str, root_name: str) -> str:
        """The ETag in a result. Raises the error that came in its place with status 200."""
        if f"<{root_name}".encode() not in body:
            raise self._transport.failure(body, key)
        return read_value(body, root_name, "ETag")
