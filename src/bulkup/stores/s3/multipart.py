"""Objects sent in parts: the S3 multipart operations over the wire.

Sizes and limits: "Amazon S3 multipart upload limits", Amazon S3 User Guide: 10,000 parts of 5 MiB
to 5 GiB, the last one of any size.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Protocol

from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.s3.headers import checksum
from bulkup.stores.s3.sigv4 import encode_query
from bulkup.stores.s3.transport import PATIENT_SECONDS, S3Transport
from bulkup.stores.s3.xml import (
    read_parts,
    read_uploads,
    read_value,
    write_completion,
)

_COPY_PART_BYTES = 1024**3


class _Copier(Protocol):
    """What a copy in parts asks of the store."""

    async def head(self, key: str) -> ObjectInfo: ...
    async def begin_parts(
        self, key: str, *, digest: Digest | None, attributes: Attributes
    ) -> str: ...
    async def copy_part(
        self, source: str, key: str, upload_id: str, number: int, first: int, last: int
    ) -> Part: ...
    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored: ...
    async def abort_parts(self, key: str, upload_id: str) -> None: ...


async def begin(
    transport: S3Transport, key: str, headers: dict[str, str], *, checksums: bool
) -> str:
    """The upload id. With `checksums` the endpoint will keep a SHA-256 for each part."""
    if checksums:
        headers["x-amz-checksum-algorithm"] = "SHA256"
        headers["x-amz-checksum-type"] = "COMPOSITE"
    response = await transport.send("POST", key, headers, query="uploads=")
    body = response.body
    return read_value(body, "InitiateMultipartUploadResult", "UploadId")


async def put_part(
    transport: S3Transport,
    key: str,
    upload_id: str,
    number: int,
    body: Body,
    digest: Digest,
    *,
    checksums: bool,
) -> Part:
    """Send one part. Raises ObjectMissing when the upload is unknown."""
    headers = {"x-amz-checksum-sha256": checksum(digest)} if checksums else {}
    query = encode_query({"partNumber": str(number), "uploadId": upload_id})
    response = await transport.send(
        "PUT", key, headers, query=query, body=body, payload_sha256=digest
    )
    return Part(number, len(body), response.get_header("etag") or "", digest)


async def list_parts(transport: S3Transport, key: str, upload_id: str) -> list[Part]:
    """All parts, by number."""
    parts: list[Part] = []
    query = {"uploadId": upload_id}
    while True:
        response = await transport.send("GET", key, {}, query=encode_query(query))
        page = read_parts(response.body)
        parts += page.parts
        if page.next_marker is None:
            return parts
        query["part-number-marker"] = page.next_marker


async def complete(
    transport: S3Transport,
    key: str,
    upload_id: str,
    parts: Sequence[Part],
    *,
    conditional: bool,
    checksums: bool,
) -> Stored:
    """Make the object. The answer may be an error with status 200: S3 answers before it knows."""
    body = write_completion(parts, checksums=checksums)
    headers = {"content-type": "application/xml"}
    if conditional:
        headers["if-none-match"] = "*"
    response = await transport.send(
        "POST",
        key,
        headers,
        query=encode_query({"uploadId": upload_id}),
        body=body,
        payload_sha256=sha256(body).hexdigest(),
        limit_seconds=PATIENT_SECONDS,
    )
    answer = response.body
    if b"<CompleteMultipartUploadResult" not in answer:
        raise transport.failure(answer, key)
    etag = read_value(answer, "CompleteMultipartUploadResult", "ETag")
    return Stored(etag or None)


async def copy_part(
    transport: S3Transport,
    source: str,
    key: str,
    upload_id: str,
    number: int,
    first: int,
    last: int,
) -> Part:
    """Fill one part with the bytes `first` to `last` of `source` (/bucket/encoded-key)."""
    headers = {"x-amz-copy-source": source, "x-amz-copy-source-range": f"bytes={first}-{last}"}
    query = encode_query({"partNumber": str(number), "uploadId": upload_id})
    response = await transport.send("PUT", key, headers, query=query, limit_seconds=PATIENT_SECONDS)
    answer = response.body
    if b"<CopyPartResult" not in answer:
        raise transport.failure(answer, key)
    return Part(number, last - first + 1, read_value(answer, "CopyPartResult", "ETag"))


async def copy(
    store: _Copier,
    source_key: str,
    source: str,
    key: str,
    size_bytes: int,
    part_bytes: int = _COPY_PART_BYTES,
) -> Stored:
    """Copy what is too large for CopyObject, attributes included; leaves no open upload behind."""
    info = await store.head(source_key)
    attributes = Attributes(
        content_type=info.content_type or "application/octet-stream", metadata=info.metadata
    )
    upload_id = await store.begin_parts(key, digest=info.digest, attributes=attributes)
    try:
        parts = [
            await store.copy_part(
                source, key, upload_id, number, first, min(first + part_bytes, size_bytes) - 1
            )
            for number, first in enumerate(range(0, size_bytes, part_bytes), 1)
        ]
        return await store.complete_parts(key, upload_id, parts, exclusive=False)
    except BaseException:
        await store.abort_parts(key, upload_id)
        raise


async def list_uploads(
    transport: S3Transport, prefix: str
) -> AsyncIterator[list[tuple[str, str, float]]]:
    """Pages of (key, upload id, begun at in seconds since 1970)."""
    # not encoding-type=url: Ceph then encodes the keys without saying so
    query = {"uploads": "", "prefix": prefix}
    while True:
        response = await transport.send("GET", None, {}, query=encode_query(query))
        page = read_uploads(response.body)
        if page.uploads:
            yield page.uploads
        if page.next_markers is None:
            return
        query["key-marker"], query["upload-id-marker"] = page.next_markers
