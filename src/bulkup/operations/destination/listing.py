"""What a destination itself holds, and what the manifest knows of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import NamedTuple

from bulkup.clock import SystemClock
from bulkup.manifest.destinations import Destination
from bulkup.manifest.reader import Reader
from bulkup.model import ObjectInfo
from bulkup.run.manifest_copy import FOLDER
from bulkup.run.open_destination import open_known
from bulkup.run.store_reader import INTERNAL, StoreReader
from bulkup.run.store_requests import requests_to
from bulkup.settings.options import RunOptions

_GLOB = re.compile(r"[*?\[]")


class ListedObject(NamedTuple):
    """An object as the destination lists it. `kind` is original, copy, a variant's name, manifest
    or unknown; `digest` is what the manifest has."""

    destination: str
    key: str
    size_bytes: int
    modified_at: float | None
    etag: str | None
    kind: str
    digest: str | None


async def list_objects(
    reader: Reader,
    url: str,
    known: Destination | None,
    options: RunOptions,
    environ: Mapping[str, str],
    *,
    glob: str | None,
) -> AsyncIterator[ListedObject]:
    """The objects whose key, below the prefix, matches the glob, in the order of their keys.

    `known` is the manifest's row of the destination. Raises UsageError, DestinationError and
    ManifestError.
    """
    store = open_known(url, known, options, environ)
    try:
        requests = requests_to(store, options, SystemClock(), Random())  # noqa: S311 - for waits
        source = StoreReader(requests)
        await source.check()
        start = store.prefix + (_GLOB.split(glob)[0] if glob else "")
        async for page in source.pages(start):
            for one in _described(reader, known, page, url, store.prefix):
                if glob is None or fnmatchcase(one.key.removeprefix(store.prefix), glob):
                    yield one
    finally:
        await asyncio.shield(store.close())


def _described(
    reader: Reader, known: Destination | None, page: list[ObjectInfo], url: str, prefix: str
) -> Iterator[ListedObject]:
    rows: dict[str, tuple[str, str]] = {}
    if known is not None:
        rows = reader.objects.kinds(known.id, [info.key for info in page])
    for info in page:
        kind, digest = rows.get(info.key, ("unknown", None))
        if info.key.startswith(prefix + FOLDER):
            kind = "manifest"
        elif kind == "unknown" and info.key.startswith(prefix + INTERNAL):
            kind = "internal"
        yield ListedObject(
            url,
            info.key,
            info.size_bytes,
            info.modified_at,
            info.etag,
            kind,
            digest,
        )


@dataclass(slots=True)
class FolderUse:
    """How much lies below a folder."""

    objects: int = 0
    size_bytes: int = 0
    by_kind: dict[str, int] = field(default_factory=dict)  # bytes

    def add(self, one: ListedObject) -> None:
        """Count an object."""
        self.objects += 1
        self.size_bytes += one.size_bytes
        kind = one.kind if one.kind in ("unknown", "manifest", "internal") else "original"
        if one.kind not in ("original", "copy") and kind == "original":
            kind = "variant"
        self.by_kind[kind] = self.by_kind.get(kind, 0) + one.size_bytes


def folder_of(key: str, prefix: str, depth: int) -> str:
    """The folder of a key, `depth` levels below the prefix at most; '' for the prefix itself."""
    folders = key.removeprefix(prefix).split("/")[:-1]
    return "/".join(folders[:depth])
