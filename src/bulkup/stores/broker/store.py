"""A `bulkup serve` as a store: keys are paths below a root of this client, by its token's name.

What the server has under another path, or from another client, is not sent again: the path is
recorded there, and the put says that the key is taken, as it then is. Each URL is asked for right
before it is used, so that none expires in a queue; one that has expired is answered by a new one.
Nothing is ever replaced or removed there by a client.
"""

from __future__ import annotations

import builtins  # `list` is a method here
from collections.abc import AsyncIterator, Sequence

from bulkup.errors import (
    DestinationError,
    DestinationUnreachable,
    ObjectMissing,
    StoreBroken,
    StoreRefused,
    StoreUnreachable,
)
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.broker.announcements import Announcements
from bulkup.stores.broker.answers import objects_of, text_of, whole_of
from bulkup.stores.broker.calls import Calls
from bulkup.stores.broker.errors import no_broker
from bulkup.stores.broker.sending import Sending, announcement
from bulkup.stores.store import READ_BYTES, Capabilities, too_large

PART_THRESHOLD_BYTES = 64 * 1024 * 1024


class BrokerStore:
    """A `PartStore` at a server. Methods without a docstring do what the protocol says."""

    prefix = ""

    def __init__(self, url: str, calls: Calls) -> None:
        self.url = url
        self.part_threshold_bytes: int | None = PART_THRESHOLD_BYTES
        self.capabilities = Capabilities(conditional_writes=True, checksums=True)
        self._calls = calls
        self._announcements = Announcements(calls)
        self._sending = Sending(calls, self._announcements, self.url)

    def limit_bodies(self, bytes_per_second: int) -> None:
        self._calls.limit_bodies(bytes_per_second)

    async def check(self) -> None:
        """One call, which shows that it is a `bulkup serve` and takes the token."""
        try:
            found = await self._calls.call(
                "GET", "/uploads", subject=self.url, query={"limit": "0"}
            )
        except StoreUnreachable as error:
            raise DestinationUnreachable(str(error), hint=error.hint) from error
        except (ObjectMissing, StoreRefused) as error:
            raise DestinationError(str(error), hint=error.hint) from error
        if not isinstance(found.get("files"), list):
            raise no_broker(self.url, "its answer is another program's")

    async def probed(self) -> Capabilities:
        return self.capabilities

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        """Reserve, send, complete. Raises KeyTaken also where the server has the content."""
        _require_exclusive(key, exclusive=exclusive)
        await self._sending.put(key, body, digest, attributes)
        return Stored(f'"{digest}"')

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        found = await self._calls.call(
            "GET", "/uploads", subject=f"key {key!r}", query={"path": key}
        )
        files = objects_of(found)
        if not files:
            raise ObjectMissing(f"key {key!r}: the server has no such file of this client")
        return files[0]

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        body = bytearray()
        async for chunk in self.open(key):
            body += chunk
            if len(body) > most_bytes:
                raise too_large(key)
        return bytes(body)

    async def read_into(self, key: str, buffer: memoryview) -> int:
        size_bytes = 0
        async for chunk in self.open(key):
            end = size_bytes + len(chunk)
            if end > len(buffer):
                raise too_large(key)
            buffer[size_bytes:end] = chunk
            size_bytes = end
        return size_bytes

    async def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        digest = (await self.head(key)).digest
        is_whole = start == 0 and size_bytes is None
        end = "" if size_bytes is None else str(start + size_bytes - 1)
        headers = {} if is_whole else {"range": f"bytes={start}-{end}"}
        path, subject = f"/original/{digest}", f"key {key!r}"
        async with self._calls.get(path, headers, subject=subject) as (response, chunks):
            if headers and response.status != 206:
                raise StoreBroken(f"{subject}: the server sends more than a range")
            async for chunk in chunks:
                yield chunk

    async def restore(self, key: str, *, days: int) -> None:
        raise StoreRefused(
            f"key {key!r}: a copy of an archived object must be asked for on the server"
        )

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[list[ObjectInfo]]:
        """The files of this client, by path."""
        while True:
            query = {"prefix": prefix, "after": after}
            found = await self._calls.call("GET", "/uploads", subject=self.url, query=query)
            page = objects_of(found)
            if page:
                yield page
            following = found.get("next")
            if not isinstance(following, str) or following <= after:
                return
            if not page:  # such pages may have no end
                raise no_broker(self.url, "a page of its listing has no files")
            after = following

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        """The server records the path: it has the content. Raises KeyTaken when another content
        has it."""
        _require_exclusive(key, exclusive=exclusive)
        info = await self.head(source_key)
        assert info.digest is not None
        attributes = Attributes(info.content_type or "application/octet-stream")
        fields = announcement(key, info.digest, info.size_bytes, attributes)
        found = await self._announcements.announce(f"key {key!r}", fields)
        if not found.get("duplicate"):
            raise ObjectMissing(f"key {source_key!r}: the server has no such object any more")
        return Stored(info.etag)

    async def delete(self, key: str) -> None:
        raise StoreRefused(f"key {key!r}: a client removes nothing at {self.url}")

    async def begin_parts(
        self,
        key: str,
        *,
        digest: Digest | None,
        attributes: Attributes,
        size_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> str:
        """Raises KeyTaken where the server has the content."""
        if digest is None or size_bytes is None:
            raise StoreRefused(f"key {key!r}: the server must know digest and size beforehand")
        fields = announcement(key, digest, size_bytes, attributes)
        found = await self._sending.reserve(key, {**fields, "part_bytes": part_bytes})
        return text_of(found, "upload_id")

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        return await self._sending.put_part(key, upload_id, number, body, digest)

    async def list_parts(self, key: str, upload_id: str) -> builtins.list[Part]:
        found = await self._calls.call("GET", f"/uploads/{upload_id}/parts", subject=f"key {key!r}")
        return [
            Part(whole_of(part, "number"), whole_of(part, "size_bytes"), text_of(part, "etag"))
            for part in found.get("parts") or ()
        ]

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        _require_exclusive(key, exclusive=exclusive)
        named = [{"number": part.number, "etag": part.etag} for part in parts]
        await self._sending.complete(key, upload_id, {"parts": named})
        return Stored()

    async def abort_parts(self, key: str, upload_id: str) -> None:
        await self._sending.abort(key, upload_id)

    async def list_uploads(
        self, prefix: str = ""
    ) -> AsyncIterator[builtins.list[tuple[str, str, float]]]:
        """None: the server itself gives up what nobody completes."""
        nothing: builtins.list[builtins.list[tuple[str, str, float]]] = []
        for page in nothing:
            yield page

    async def close(self) -> None:
        await self._announcements.close()
        await self._calls.close()


def _require_exclusive(key: str, *, exclusive: bool) -> None:
    if not exclusive:
        raise StoreRefused(f"key {key!r}: a client replaces nothing at the server")
