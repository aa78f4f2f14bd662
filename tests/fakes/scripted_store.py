"""A directory store that fails, holds and counts on demand."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from bulkup.clock import Clock
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.directory.store import DirectoryStore
from bulkup.stores.store import READ_BYTES, Capabilities


class ScriptedStore(DirectoryStore):
    """After `fail(verb, *errors)` the next calls of a method raise these errors, one each; with
    `always` all later ones the last. `hold()` delays puts until `release()`."""

    def __init__(self, root: str, *, clock: Clock, conditional_writes: bool | None = True) -> None:
        super().__init__(root, clock=clock, durable=False)
        self.capabilities = Capabilities(conditional_writes=conditional_writes, checksums=True)
        self.calls: Counter[str] = Counter()
        self.put_keys: list[str] = []
        self.part_numbers: list[int] = []
        self.is_closed = False
        self.holding = asyncio.Event()  # a put has come and waits
        self._free: asyncio.Event | None = None
        self._errors: dict[str, list[BaseException]] = {}
        self._always: dict[str, BaseException] = {}

    def fail(self, verb: str, *errors: BaseException, always: bool = False) -> None:
        self._errors[verb] = list(errors)
        if always:
            self._always[verb] = errors[-1]

    def recover(self) -> None:
        """No method fails any more."""
        self._errors.clear()
        self._always.clear()

    def hold(self) -> None:
        self._free = asyncio.Event()

    def release(self) -> None:
        assert self._free is not None
        self._free.set()

    async def _called(self, verb: str) -> None:
        self.calls[verb] += 1
        if self._errors.get(verb):
            raise self._errors[verb].pop(0)
        if verb in self._always:
            raise self._always[verb]

    async def check(self) -> None:
        await self._called("check")
        await super().check()

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        if self._free is not None:
            self.holding.set()
            await self._free.wait()
        await self._called("put")
        self.put_keys.append(key)
        stored = await super().put(
            key, body, digest=digest, attributes=attributes, exclusive=exclusive
        )
        if exclusive and self.capabilities.conditional_writes is None:
            self.capabilities = Capabilities(conditional_writes=True, checksums=True)
        return stored

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        await self._called("head")
        return await super().head(key, with_checksum=with_checksum)

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        await self._called("read")
        return await super().read(key, most_bytes=most_bytes)

    async def read_into(self, key: str, buffer: memoryview) -> int:
        await self._called("read")
        return await super().read_into(key, buffer)

    async def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        await self._called("open")
        async for chunk in super().open(key, start=start, size_bytes=size_bytes):
            yield chunk

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        await self._called("copy")
        return await super().copy(source_key, key, size_bytes=size_bytes, exclusive=exclusive)

    async def begin_parts(
        self,
        key: str,
        *,
        digest: Digest | None,
        attributes: Attributes,
        size_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> str:
        await self._called("begin_parts")
        return await super().begin_parts(key, digest=digest, attributes=attributes)

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        await self._called("put_part")
        self.part_numbers.append(number)
        return await super().put_part(key, upload_id, number, body, digest=digest)

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        await self._called("complete_parts")
        return await super().complete_parts(key, upload_id, parts, exclusive=exclusive)

    async def abort_parts(self, key: str, upload_id: str) -> None:
        await self._called("abort_parts")
        await super().abort_parts(key, upload_id)

    async def close(self) -> None:
        self.is_closed = True
