"""A push inside the test's own process: real files, manifest and store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

from bulkup.clock import Clock, SystemClock
from bulkup.events import Event, Summary
from bulkup.manifest.manifest import Manifest
from bulkup.model import Stage
from bulkup.operations.push import Push, PushRun
from bulkup.run.context import new_context
from bulkup.run.ingest.process import IngestProcess
from bulkup.settings.copy_options import ManifestCopyOptions
from bulkup.settings.options import RunOptions, UploadOptions
from bulkup.stores.store import PartStore
from tests.sql import sql


@dataclass
class Pushing:
    """What is pushed from where to where, again and again."""

    home: Path
    to: str
    environ: Mapping[str, str] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    options: dict[str, object] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    store: PartStore | None = None  # instead of the one that `to` names
    ingest: IngestProcess | None = None  # for the next run
    manifest_copy: ManifestCopyOptions | None = None

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def manifest(self) -> str:
        return str(self.home / "manifest.db")

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, body in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)

    def begin(self, manifest: Manifest, **options: object) -> PushRun:
        """A run that is ready to go."""
        push = Push(
            roots=(str(self.root),),
            **push_options(
                {"stages": (Stage.UPLOAD,), **self.options, **options},
                to=self.to,
                default_to="" if self.to.startswith("s3://") else self.to,
            ),
        )
        context = new_context(
            manifest,
            clock=self.clock,
            random=Random(1),
            emit=self.events.append,
            environ=self.environ,
            wants_files=True,
            ingest=self.ingest,
            manifest_copy=self.manifest_copy,
        )
        store = self.store
        return PushRun(push, context, store_factory=None if store is None else lambda _: store)

    async def push(self, **options: object) -> Summary:
        with Manifest(self.manifest) as manifest:
            return await asyncio.wait_for(self.begin(manifest, **options).run(), 30)


def push_options(options: Mapping[str, Any], **upload: Any) -> dict[str, Any]:
    """Fields of Push, UploadOptions and RunOptions, each where it belongs."""
    of_push, of_upload = ({one.name for one in fields(kind)} for kind in (Push, UploadOptions))
    return {
        **{name: value for name, value in options.items() if name in of_push},
        "upload": UploadOptions(
            **upload, **{name: value for name, value in options.items() if name in of_upload}
        ),
        "run": RunOptions(
            **{n: v for n, v in options.items() if n not in of_push and n not in of_upload}
        ),
    }


VIEWS = {
    "files": "SELECT path, size_bytes, digest, key, upload, missing_since IS NULL FROM files",
    "failures": "SELECT path, stage, state, error_class FROM failures",
    "progress": "SELECT destination, stage, state, items, bytes FROM progress",
}


def views(path: str) -> dict[str, list[tuple[object, ...]]]:
    """What the documented views say, without times and ids."""
    return {name: sorted(sql(path, query), key=repr) for name, query in VIEWS.items()}
