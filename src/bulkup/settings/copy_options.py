"""When a copy of the manifest goes to the destination, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass

from bulkup.settings import parsing as kinds
from bulkup.settings.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ManifestCopyOptions:
    """The copies of the manifest that runs put beside the objects."""

    # A lost disk costs an hour of records at most; more often, copies would slow down small pushes.
    every_seconds: float | None = setting(
        "manifest.backup",
        kinds.SPAN_OR_NEVER,
        "Copy the manifest to the destination after a run, at most once in this time; or never.",
        env="BULKUP_MANIFEST_BACKUP",
        flag=False,
        default="1h",
    )
    # They are most of the bytes, and `embed` makes them again.
    with_vectors: bool = setting(
        "manifest.backup_vectors",
        kinds.TRUTH,
        "Copy the embeddings, too.",
        env="BULKUP_MANIFEST_BACKUP_VECTORS",
        flag=False,
        default=False,
    )
