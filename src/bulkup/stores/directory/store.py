"""Objects as files below a directory: key `a/b.jpg` is the file `<root>/a/b.jpg`.

An object appears whole or not at all: it is written to `<root>/.bulkup/tmp/` and then linked
(exclusive; link(2) never replaces) or renamed (rename(2) replaces atomically) to its place.
With `durable`, its bytes are synced to the disk before that. Folders are not synced: after a power
cut an object may be missing, which `verify` finds, but never damaged.

Digest, content type and metadata are kept in one extended attribute, `user.bulkup`: JSON, with the
size and mtime they are valid for, since a file that is edited later has another digest. Where the
file system has no extended attributes, `head` returns no digest and the caller must read the file.
The metadata value `mtime` (seconds since 1970, decimal) becomes the file's. Cache control, storage
class and tags have no meaning here.
"""

from __future__ import annotations

import asyncio
import builtins  # `list` is a method here
import os
import secrets
import sys
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from bulkup.errors import SourceChanged
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Part, Stored
from bulkup.stores.directory.files import Files, store_error
from bulkup.stores.directory.open_file import open_file
from bulkup.stores.directory.part_files import PartFiles
from bulkup.stores.directory.root import unusable
from bulkup.stores.store import READ_BYTES, Capabilities, too_large

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from bulkup.clock import Clock

T = TypeVar("T")

PART_THRESHOLD_BYTES = 64 * 1024 * 1024
"""As in S3: sending such a file again after a crash would cost much."""
_IN_PLACE_BYTES = 256 * 1024
"""Writing this much without a sync costs less than handing it to a thread and back (60 µs)."""
_CHUNK_BYTES = 1024 * 1024
_PAGE_LENGTH = 1000


class DirectoryStore:
    """A `PartStore` below one local directory. Several processes may use it at the same time.

    Methods without a docstring do what the protocol says.
    """

    def __init__(
        self, root: str, *, clock: Clock, durable: bool = True, holds_objects: bool = False
    ) -> None:
        """`durable` by default: what the manifest calls done must survive a power cut.

        A store that `holds_objects` is not created again when its directory is missing.
        """
        self.url = root
        self.prefix = ""
        self.part_threshold_bytes: int | None = PART_THRESHOLD_BYTES
        self.capabilities = Capabilities(conditional_writes=True, checksums=True)
        self._files = Files(os.path.abspath(root), token=secrets.token_hex(6), durable=durable)
        self._parts = PartFiles(self._files, now=clock.now)
        self.holds_objects = holds_objects

    async def probed(self) -> Capabilities:
        return self.capabilities

    async def check(self) -> None:
        """Create the directory if its parent exists. Raises DestinationError.

        One that held objects, or was checked before, is not created again: see `look`.
        """
        root = self._files.root
        if self.holds_objects:
            self.look()
        try:
            with suppress(FileExistsError):
                os.mkdir(root)
            self._files.folder.require()
            self._files.folder.remember()
            fd, path = self._files.create()
            os.close(fd)
            os.unlink(path)
        except OSError as error:
            raise unusable(root, error) from error
        self.holds_objects = True

    def foresee(self) -> None:
        """Raise what `check` would raise, as far as that shows without a write."""
        if self.holds_objects:
            self.look()
        self._files.folder.foresee()

    def look(self) -> None:
        """Raise DestinationError unless the directory exists and is not empty: a mount point
        without its disk is an empty directory. Creates nothing."""
        self._files.folder.look(held_objects=self.holds_objects)

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        """Store all of `body` or nothing; a small body without a sync on the calling thread."""

        def write() -> None:
            _require_digest(body, digest, key)
            self._files.write(key, body, digest, attributes, exclusive=exclusive)

        if self._files.is_durable or len(body) > _IN_PLACE_BYTES:
            await _in_thread(key, write)
        else:
            try:
                write()
            except OSError as error:
                raise store_error(error, key) from error
        return Stored()

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        """Raises BucketMissing where an unmounted disk is behind an OSError, else StoreError."""
        try:
            yield
        except OSError as error:
            self._files.folder.require()
            raise store_error(error, key, reading=True) from error

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        """Size, times and attributes of the file; a directory computes no checksum."""
        with self._reading(key):
            return self._files.info(key)

    async def read(self, key: str, *, most_bytes: int = READ_BYTES) -> bytes:
        with self._reading(key):
            if most_bytes > _IN_PLACE_BYTES:
                return await asyncio.to_thread(self._read, key, most_bytes)
            return self._read(key, most_bytes)  # takes no longer than a thread

    def _read(self, key: str, most_bytes: int) -> bytes:
        with open(self._files.path(key), "rb") as file:
            body = file.read(most_bytes + 1)
        if len(body) > most_bytes:
            raise too_large(key)
        return body

    async def read_into(self, key: str, buffer: memoryview) -> int:
        with self._reading(key):
            return await asyncio.to_thread(self._read_into, key, buffer)

    def _read_into(self, key: str, buffer: memoryview) -> int:
        with open(self._files.path(key), "rb", buffering=0) as file:
            size_bytes = 0
            while count := file.readinto(buffer[size_bytes:]):
                size_bytes += count
            if size_bytes == len(buffer) and file.read(1):
                raise too_large(key)
        return size_bytes

    async def open(
        self, key: str, *, start: int = 0, size_bytes: int | None = None
    ) -> AsyncIterator[bytes]:
        left = sys.maxsize if size_bytes is None else size_bytes
        with self._reading(key):
            async with open_file(self._files.path(key), start) as read:
                while chunk := await read(min(left, _CHUNK_BYTES)):
                    left -= len(chunk)
                    yield chunk

    async def restore(self, key: str, *, days: int) -> None:
        """Files are never archived: only looks whether there is one."""
        await self.head(key)

    async def list(self, prefix: str = "", *, after: str = "") -> AsyncIterator[list[ObjectInfo]]:
        """Pages of 1,000 files, in UTF-8 byte order of their keys; without digests."""
        found = (info for info in self._files.walk(prefix) if info.key > after)
        while page := await _in_thread(prefix, lambda: [*islice(found, _PAGE_LENGTH)]):
            yield page
        self._files.folder.require()  # an unmounted disk looks like an empty one

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        self._files.path(key)
        await self.head(source_key)
        await _in_thread(key, lambda: self._files.copy(source_key, key, exclusive=exclusive))
        return Stored()

    async def delete(self, key: str) -> None:
        try:
            self._files.remove(key)
        except OSError as error:
            raise store_error(error, key) from error

    async def begin_parts(
        self,
        key: str,
        *,
        digest: Digest | None,
        attributes: Attributes,
        size_bytes: int | None = None,
        part_bytes: int | None = None,
    ) -> str:
        self._files.path(key)
        return await _in_thread(key, lambda: self._parts.begin(key, digest, attributes))

    async def put_part(
        self, key: str, upload_id: str, number: int, body: Body, *, digest: Digest
    ) -> Part:
        def write() -> Part:
            _require_digest(body, digest, key)
            return self._parts.write(key, upload_id, number, body, digest)

        return await _in_thread(key, write)

    async def list_parts(self, key: str, upload_id: str) -> builtins.list[Part]:
        return await _in_thread(key, lambda: self._parts.parts(key, upload_id))

    async def complete_parts(
        self, key: str, upload_id: str, parts: Sequence[Part], *, exclusive: bool
    ) -> Stored:
        """Join the parts into the object. Raises StoreRefused for parts that are not stored."""
        await _in_thread(
            key, lambda: self._parts.complete(key, upload_id, parts, exclusive=exclusive)
        )
        return Stored()

    async def abort_parts(self, key: str, upload_id: str) -> None:
        await _in_thread(key, lambda: self._parts.abort(upload_id))

    async def list_uploads(
        self, prefix: str = ""
    ) -> AsyncIterator[builtins.list[tuple[str, str, float]]]:
        if page := await _in_thread(prefix, lambda: self._parts.uploads(prefix)):
            yield page

    async def leftovers(self, *, before: float) -> builtins.list[tuple[str, int]]:
        """Path and size of temporary files last written before a time (seconds since 1970): a
        killed process leaves them behind."""
        return await _in_thread("", lambda: self._files.leftovers(before))

    async def remove_leftover(self, path: str) -> None:
        """Remove a file that `leftovers` returned; no links are followed."""
        await _in_thread("", lambda: self._files.remove_leftover(path))

    async def close(self) -> None:
        pass


def _require_digest(body: Body, digest: Digest, key: str) -> None:
    if sha256(body).hexdigest() != digest:
        raise SourceChanged(f"key {key!r}: the bytes do not have the announced digest")


async def _in_thread(key: str, work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise store_error(error, key) from error
