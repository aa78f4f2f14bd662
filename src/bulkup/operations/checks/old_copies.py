"""Old copies of manifests at a destination, as `clean` bounds them."""

from __future__ import annotations

import re
from collections import defaultdict

from bulkup.model import ObjectInfo
from bulkup.run.manifest_copy import COPY_KEY, FOLDER, KEPT
from bulkup.stores.store import PartStore


async def old_copies(store: PartStore, *, before: float) -> list[tuple[str, int]]:
    """Key and size in bytes of all copies but each host's newest, which were stored before a time.

    A run removes its manifest's own old copies; these are of manifests that are gone.
    """
    folder = store.prefix + FOLDER
    by_host = defaultdict[str, list[ObjectInfo]](list)
    async for page in store.list(folder):
        for info in page:
            if match := re.fullmatch(COPY_KEY, info.key.removeprefix(folder)):
                by_host[match[1]].append(info)
    return [
        (info.key, info.size_bytes)
        for found in by_host.values()
        for info in sorted(found, key=lambda one: one.key)[:-KEPT]
        if info.modified_at is not None and info.modified_at < before
    ]
