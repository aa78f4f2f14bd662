"""A lost manifest made anew from what a destination holds: keys, metadata, listing.

Each object is asked for its digest: the store's own SHA-256 of it, else the one that was stored
beside its bytes, else the one that its key is made of (layout `content`), else, with `deep`, its
bytes. One without any is left out: it may be another program's, and the next push takes it over
where a file would go under its key and has the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bulkup.clock import Clock
from bulkup.errors import ObjectMissing, StoreError
from bulkup.manifest.import_objects import FoundObject
from bulkup.manifest.rows import File
from bulkup.model import INODE_MASK, Digest, ObjectInfo
from bulkup.run.async_manifest import AsyncManifest
from bulkup.run.store_reader import INTERNAL, StoreReader, computed_digest, for_each_concurrently
from bulkup.stores.keys import spare_key

_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})(?:[.~].*)?")


@dataclass(slots=True)
class Rebuilt:
    """What a destination held, and what became of it."""

    objects: int = 0
    recorded: int = 0
    files: int = 0  # found under the root as they were pushed
    known: int = 0  # to the manifest already
    unknown: int = 0  # without a digest
    failed: int = 0  # that could not be asked for
    bytes_read: int = 0
    first_error: str | None = None


class Rebuilding:
    """One destination taken into one manifest. `root` is a directory that was pushed there."""

    def __init__(
        self,
        async_manifest: AsyncManifest,
        reader: StoreReader,
        *,
        destination_id: int,
        root: str | None,
        deep: bool,
        clock: Clock,
    ) -> None:
        self._async_manifest = async_manifest
        self._asking = reader
        self._destination_id = destination_id
        self._root = root
        self._deep = deep
        self._clock = clock
        self._found: list[FoundObject] = []
        self.rebuilt = Rebuilt()

    async def run(self) -> None:
        """Take everything in. Raises DestinationError; may be run again, and then goes on."""
        await self._asking.check()
        audit, root_id = self._async_manifest.manifest.object_checks, None
        if self._root is not None:
            root_id = await self._async_manifest.call(
                audit.add_root, self._root, self._destination_id
            )
        internal = self._asking.prefix + INTERNAL
        async for page in self._asking.pages():
            keys = [info.key for info in page if not info.key.startswith(internal)]
            known = await self._async_manifest.call(audit.known_keys, self._destination_id, keys)
            self.rebuilt.objects += len(keys)
            self.rebuilt.known += len(known)
            await for_each_concurrently([key for key in keys if key not in known], self._ask)
            found, self._found = sorted(self._found, key=lambda one: one.key), []
            if self._root is not None:
                found = await asyncio.to_thread(self._with_files, found)
            taken = await self._async_manifest.call(
                audit.take_in,
                found,
                destination_id=self._destination_id,
                root_id=root_id,
                now=self._clock.now(),
            )
            self.rebuilt.recorded += taken.objects
            self.rebuilt.files += taken.files
            self.rebuilt.bytes_read = self._asking.bytes_read

    async def _ask(self, key: str) -> None:
        try:
            info = await self._asking.head(key)
            digest = computed_digest(info) or info.digest or digest_in_key(key)
            if digest is None and self._deep:
                digest, _ = await self._asking.read(key, info.size_bytes)
        except ObjectMissing:
            return  # removed since it was listed
        except StoreError as error:
            self.rebuilt.failed += 1
            self.rebuilt.first_error = self.rebuilt.first_error or str(error)
            return
        if digest is None:
            self.rebuilt.unknown += 1
        else:
            self._found.append(_found(info, digest))

    def _with_files(self, found: list[FoundObject]) -> list[FoundObject]:
        """Those whose file is under the root as it was pushed, with that file."""
        assert self._root is not None
        return [self._with_file(self._root, one) for one in found]

    def _with_file(self, root: str, one: FoundObject) -> FoundObject:
        if one.file is None:
            return one
        for path in paths_of(one.key.removeprefix(self._asking.prefix), one.digest):
            folder, _, name = path.rpartition("/")
            file = _file_at(root, path, name)
            if file is not None and file[1:3] == one.file[1:3]:
                return one._replace(folder=f"{folder}/" if folder else "", file=file)
        return one._replace(file=None)


# Pure, but for one stat -------------------------------------------------------------------------


def digest_in_key(key: str) -> Digest | None:
    """The digest that a key of layout `content` is made of; None for any other key."""
    match = _NAMED_BY_DIGEST.fullmatch(key)
    return Digest(match[3]) if match else None


def paths_of(key: str, digest: Digest) -> Iterator[str]:
    """The relative paths of files that may have been pushed to a key below the prefix.

    A spare key stands for the path without `~<8 hex>`; that one comes first, since a file by that
    name may be there as well.
    """
    mark = f"~{digest[:8]}"
    at = key.rfind(mark)
    if at > 0:
        path = key[:at] + key[at + len(mark) :]
        if spare_key(path, digest) == key:
            yield from paths_of(path, digest)
    yield key


def modified_ns(metadata: dict[str, str]) -> int | None:
    """A file's mtime as it was stored beside its bytes; None for none or nonsense."""
    try:
        return int(Decimal(metadata["mtime"]) * 1_000_000_000)
    except (KeyError, InvalidOperation, ValueError, OverflowError):
        return None


def _found(info: ObjectInfo, digest: Digest) -> FoundObject:
    """The object, with the size and mtime that its file had, where they are known."""
    mtime = modified_ns(info.metadata)
    composite = info.checksum
    if composite is not None and computed_digest(info) is not None:
        composite = None
    if composite is not None and "-" not in composite:
        composite += "-" + (info.etag or "").strip('"').partition("-")[2]
    return FoundObject(
        key=info.key,
        digest=digest,
        size_bytes=info.size_bytes,
        etag=info.etag,
        checksum=composite,
        media_type=info.content_type,
        file=None if mtime is None else File("", info.size_bytes, mtime, 0, 0),
    )


def _file_at(root: str, path: str, name: str) -> File | None:
    """The ordinary file at a path below the root, as a walk would see it."""
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\0" in path:
        return None
    try:
        found = os.lstat(f"{root}/{path}")
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    inode = found.st_ino & INODE_MASK
    return File(name, found.st_size, found.st_mtime_ns, inode, found.st_ctime_ns)
