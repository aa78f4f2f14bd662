"""Signed URLs for the workers of a cluster, with `--sign`: for what their task needs, no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from bulkup.content.picture.spec import Format
from bulkup.errors import UsageError
from bulkup.manifest.rows import WorkItem
from bulkup.model import Attributes, Stage
from bulkup.process.task import variant_key
from bulkup.run.work.task import Task
from bulkup.settings.stage_options import ProcessOptions
from bulkup.stores.s3.store import S3Store
from bulkup.stores.store import PartStore, SignedAccess, SignedURL

SIGNED_SECONDS: Final = 900
"""A task waits for the one before it and takes 20 s; what expires all the same is signed again."""


class TaskSigner:
    """Signs for the tasks of one job."""

    def __init__(self, store: PartStore, options: ProcessOptions) -> None:
        """Raises UsageError for a destination whose URLs cannot be signed."""
        if not isinstance(store, S3Store):
            raise no_bucket(store.url)
        self._store = store
        self._options = options

    async def sign(self, task: Task) -> Task:
        """The task with URLs to read what its items are made from, and to put their variants."""
        gets: dict[str, SignedURL] = {}
        puts: dict[str, SignedURL] = {}
        for item in task.items:
            if item.digest is None:
                raise UsageError(
                    f"{item.key} has not been read yet: its variants are named by its digest",
                    hint="Leave --sign out, for workers with credentials of their own.",
                )
            if task.stage is Stage.PROCESS:
                if item.key is not None:
                    gets[item.key] = await self._get(item.key)
                for key, kind in self._variants(item):
                    gets[key] = await self._get(key)
                    puts[key] = await self._put(key, kind, replaces=key in task.bad_keys)
            elif (variant := task.variant_keys.get(item.item_id)) is not None:
                gets[variant] = await self._get(variant)
        signed = [*gets.values(), *puts.values()]
        expires_at = min((one.expires_at for one in signed), default=0.0)
        urls = {key: one.url for key, one in gets.items()}
        return replace(task, signed=SignedAccess(urls, puts, expires_at))

    def _variants(self, item: WorkItem) -> list[tuple[str, Format]]:
        """All keys that its variants may have: WebP where JPEG was wanted and there is alpha."""
        return [
            (variant_key(self._store.prefix, spec.name, item.known_digest, kind), kind)
            for spec in self._options.variants
            for kind in dict.fromkeys((spec.format, Format.WEBP))
        ]

    async def _get(self, key: str) -> SignedURL:
        return await self._store.sign_get(key, seconds=SIGNED_SECONDS)

    async def _put(self, key: str, kind: Format, *, replaces: bool) -> SignedURL:
        return await self._store.sign_put_later(
            key,
            attributes=Attributes(kind.content_type),
            exclusive=not (replaces or self._options.force),
            seconds=SIGNED_SECONDS,
        )


def no_bucket(url: str) -> UsageError:
    """The error for `--sign` where there is nothing to sign."""
    return UsageError(
        f"--sign is for buckets: {url} has no URLs that can be signed",
        hint="Leave it out: workers reach a directory under the same path.",
    )
