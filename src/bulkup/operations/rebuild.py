"""Rebuild a lost manifest from the listing, keys and metadata of a destination.

The digest of an object is the store's own SHA-256, else the one in its metadata, else the one in
its key (layout `content`), else, with `deep`, that of its bytes. An object without any is left out:
it may belong to another program. The next push adopts it if a file with the same bytes goes under
its key.

With `adopts`, each object stands for a file, too, of a root that is called like the destination:
`process` then finds digests, and makes variants and vectors, of what nobody pushed.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bulkup.errors import ObjectMissing, StoreError, UsageError
from bulkup.manifest.import_objects import FoundObject
from bulkup.manifest.rows import File
from bulkup.model import MAX_NS, Digest, FileStat, ObjectInfo
from bulkup.operations.checks.session import ReadSession
from bulkup.operations.destination.endpoints import choose_endpoint
from bulkup.run.open_destination import open_known
from bulkup.run.store_reader import INTERNAL, StoreReader, computed_digest, for_each_concurrently
from bulkup.stores.keys import is_folder_marker, spare_folder_key, spare_key
from bulkup.stores.urls import canonical

_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})(?:[.~].*)?")

_MAX_SECONDS = Decimal(MAX_NS).scaleb(-9)


@dataclass(slots=True)
class Rebuilt:
    """What a destination held, and how much of it was recorded."""

    objects: int = 0
    recorded: int = 0
    files: int = 0  # found under the root as they were pushed
    known: int = 0  # in the manifest already
    unknown: int = 0  # without a digest
    adopted: int = 0  # that stand for a file themselves
    failed: int = 0  # whose HEAD failed
    bytes_read: int = 0
    first_error: str | None = None


async def rebuild(
    session: ReadSession, url: str, *, root: str | None, deep: bool, adopts: bool = False
) -> Rebuilt:
    """Record what a destination holds. `root` is a directory that was pushed there. With `adopts`,
    objects without a file there stand for themselves, and need no digest.

    Adds only; a second call continues where the first one stopped. Raises UsageError,
    DestinationError and ManifestError.
    """
    url, options = canonical(url), session.options
    if root is not None and not os.path.isdir(root):  # noqa: ASYNC240 - one system call
        raise UsageError(
            f"{root} is not a directory", hint="Give --root the directory that was pushed there."
        )
    open_known(url, None, options, session.environ)  # UsageError before anything is recorded
    destinations = session.manifest.destinations
    destination = destinations.add(
        url,
        endpoint_url=choose_endpoint(url, destinations.all(), options, session.environ),
        region=options.region,
        profile=options.profile,
        addressing_style=options.addressing_style,
    )
    try:
        async with session.open("rebuild", destination) as reader:
            adopted = url if adopts else None
            rebuilding = _Rebuilding(session, reader, destination.id, root, adopted, deep=deep)
            await rebuilding.run()
            return rebuilding.rebuilt
    finally:  # one that is not there, or holds nothing, is not remembered
        await session.async_manifest.call(session.manifest.garbage.forget_useless, "")


class _Rebuilding:
    """One destination imported into one manifest."""

    def __init__(
        self,
        session: ReadSession,
        reader: StoreReader,
        destination_id: int,
        root: str | None,
        adopted: str | None,
        *,
        deep: bool,
    ) -> None:
        """`adopted` names the root of objects that stand for themselves, where they do."""
        self._session = session
        self._reader = reader
        self._destination_id = destination_id
        self._root = root
        self._adopted = adopted
        self._deep = deep
        self._found: list[FoundObject] = []
        self.rebuilt = Rebuilt()

    async def run(self) -> None:
        await self._reader.check()
        call, manifest = self._session.async_manifest.call, self._session.manifest
        imports = manifest.object_import
        root_id = adopted_id = None
        if self._root is not None:
            root_id = await call(imports.add_root, self._root, self._destination_id)
        if self._adopted is not None:
            adopted_id = await call(imports.add_adopted_root, self._adopted, self._destination_id)
        find_known = (
            manifest.object_checks.known_keys if adopted_id is None else imports.adopted_keys
        )
        internal = self._reader.prefix + INTERNAL
        async for page in self._reader.pages():
            keys = [
                info.key
                for info in page
                if not info.key.startswith(internal) and not is_folder_marker(info)
            ]
            known = await call(find_known, self._destination_id, keys)
            self.rebuilt.objects += len(keys)
            self.rebuilt.known += len(known)
            await for_each_concurrently([key for key in keys if key not in known], self._examine)
            found, self._found = sorted(self._found, key=lambda one: one.key), []
            if self._root is not None:
                found = await asyncio.to_thread(self._with_files, self._root, found)
            if adopted_id is None:
                self.rebuilt.files += await self._record(found, root_id)
            else:
                of_root = [one for one in found if self._root is not None and one.file is not None]
                self.rebuilt.files += await self._record(of_root, root_id)
                rest = [self._adoptable(one) for one in found if one not in of_root]
                self.rebuilt.adopted += await self._record(rest, adopted_id)
            self.rebuilt.bytes_read = self._reader.bytes_read

    async def _record(self, found: list[FoundObject], root_id: int | None) -> int:
        """Record objects; how many of their files are new."""
        imported = await self._session.async_manifest.call(
            self._session.manifest.object_import.add,
            found,
            destination_id=self._destination_id,
            root_id=root_id,
            now=self._session.clock.now(),
        )
        self.rebuilt.recorded += imported.objects
        return imported.files

    def _adoptable(self, one: FoundObject) -> FoundObject:
        """The object as its own file, under its key."""
        folder, _, name = one.key.removeprefix(self._reader.prefix).rpartition("/")
        modified = 0 if one.file is None else one.file.modified_ns
        file = File(name, one.size_bytes, modified, 0, 0)
        return one._replace(folder=f"{folder}/" if folder else "", file=file)

    async def _examine(self, key: str) -> None:
        try:
            info = await self._reader.head(key)
            digest = computed_digest(info) or info.digest or digest_in_key(key)
            if digest is None and self._deep:
                digest, _ = await self._reader.read(key, info.size_bytes)
        except ObjectMissing:
            return  # removed since it was listed
        except StoreError as error:
            self.rebuilt.failed += 1
            self.rebuilt.first_error = self.rebuilt.first_error or str(error)
            return
        self.rebuilt.unknown += digest is None
        if digest is not None or self._adopted is not None:
            self._found.append(_found(info, digest))

    def _with_files(self, root: str, found: list[FoundObject]) -> list[FoundObject]:
        """Each object with its file, where that is under the root as it was pushed."""
        return [self._with_file(root, one) for one in found]

    def _with_file(self, root: str, one: FoundObject) -> FoundObject:
        if one.file is None:
            return one
        key = one.key.removeprefix(self._reader.prefix)
        for path in [key] if one.digest is None else paths_of(key, one.digest):
            folder, _, name = path.rpartition("/")
            file = _file_at(root, path, name)
            if file is not None and file[1:3] == one.file[1:3]:
                return one._replace(folder=f"{folder}/" if folder else "", file=file)
        return one._replace(file=None)


# Keys and metadata -------------------------------------------------------------------------------


def digest_in_key(key: str) -> Digest | None:
    """The digest in a key of layout `content`; None for any other key."""
    match = _NAMED_BY_DIGEST.fullmatch(key)
    return Digest(match[3]) if match else None


def paths_of(key: str, digest: Digest) -> Iterator[str]:
    """The relative paths of the files that may have been pushed to a key, its prefix removed.

    For a spare key the path without `~<8 hex>` comes first; a file may also be named like the key.
    """
    mark = f"~{digest[:8]}"
    at = key.rfind(mark)
    if at > 0:
        path = key[:at] + key[at + len(mark) :]
        if key in (spare_key(path, digest), spare_folder_key(path, digest)):
            yield from paths_of(path, digest)
    yield key


def modified_ns(metadata: dict[str, str]) -> int | None:
    """The mtime in an object's metadata, clamped to the manifest's range; None when it is absent
    or no number."""
    try:
        seconds = Decimal(metadata["mtime"])
        return int(max(-_MAX_SECONDS, min(seconds, _MAX_SECONDS)).scaleb(9))
    except (KeyError, InvalidOperation):  # also of a comparison with NaN
        return None


def _found(info: ObjectInfo, digest: Digest | None) -> FoundObject:
    """The object with the size and mtime of its file, where they are known."""
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
    """The regular file at a path below the root, as a walk would see it."""
    if not {"", ".", ".."}.isdisjoint(path.split("/")) or "\0" in path:
        return None
    try:
        found = os.lstat(f"{root}/{path}")
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return File(name, *FileStat.of(found))
