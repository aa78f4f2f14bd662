"""What looks at objects, reads and lists them: the S3 operations that write none."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator

from bulkup.errors import StoreError, StoreForbidden, StoreRefused
from bulkup.model import ObjectInfo
from bulkup.stores.listing_pages import read_pages
from bulkup.stores.s3.endpoint import require_addressable
from bulkup.stores.s3.headers import read_info
from bulkup.stores.s3.transport import S3Transport
from bulkup.stores.s3.xml import read_objects, write_restore
from bulkup.stores.store import READ_BYTES

LISTING = {"list-type": "2", "encoding-type": "url"}


class S3Reads:
    """The methods of S3Store that change no object; see `ObjectStore` for what they promise."""

    _transport: S3Transport

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        """One HEAD; when it is refused, a GET of one byte, to learn why. Raises ObjectMissing."""
        require_addressable(key)
        # Not always: for an object under a KMS key AWS requires the permission to decrypt.
        headers = {"x-amz-checksum-mode": "ENABLED"} if with_checksum else {}
        try:
            response = await self._transport.send("HEAD", key, headers)
        except (StoreForbidden, StoreRefused) as error:
            if error.code is None:  # no body, so no code: the cause may be the credentials
                await self._transport.send("GET", key, {"range": "bytes=0-0"})
            raise
        return read_info(key, response)

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        require_addressable(key)
        return await self._transport.read(key, most_bytes)

    async def read_into(self, key: str, buffer: memoryview) -> int:
        require_addressable(key)
        return await self._transport.read_into(key, buffer)

    def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        is_whole = start == 0 and size_bytes is None
        end = "" if size_bytes is None else str(start + size_bytes - 1)
        return self._transport.stream(key, {} if is_whole else {"range": f"bytes={start}-{end}"})

    async def restore(self, key: str, *, days: int) -> None:
        """RestoreObject, at the standard tier: within 12 hours as a rule."""
        require_addressable(key)
        body = write_restore(days)
        md5 = b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        headers = {"content-md5": md5, "content-type": "application/xml"}
        try:
            await self._transport.send(
                "POST",
                key,
                headers,
                query="restore=",
                body=body,
                payload_sha256=hashlib.sha256(body).hexdigest(),
            )
        except StoreError as error:
            if error.code != "RestoreAlreadyInProgress":
                raise

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[list[ObjectInfo]]:
        """Pages of up to 1,000, in UTF-8 byte order (ListObjectsV2); without digests."""
        query = {**LISTING, "prefix": prefix}
        if after:
            query["start-after"] = after
        pages = read_pages(
            self._transport.get_bucket,
            read_objects,
            query,
            position=lambda info: info.key.encode(),
            after=after.encode(),
        )
        async for page in pages:
            yield page
