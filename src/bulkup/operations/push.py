"""One push over its roots, from the walk to the summary."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Unpack

from bulkup.manifest.manifest import Manifest
from bulkup.manifest.runs import Destination
from bulkup.model import Stage
from bulkup.operations.whither import resolve_target
from bulkup.run.job import BatchStart, Job, RootToScan
from bulkup.run.options import STAGES, BatchOptions, RunOptions, named
from bulkup.run.run import Around, Run
from bulkup.stores.attributes import Extras
from bulkup.stores.keys import Layout
from bulkup.stores.store import PartStore
from bulkup.walk.filters import Selection
from bulkup.walk.roots import check_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(RunOptions):
    """What is to be pushed, where to, and how. Roots are absolute paths that were checked."""

    roots: tuple[str, ...]
    to: str | None
    default_to: str
    selection: Selection = field(default_factory=Selection)
    files_from: str | None = None
    cwd: str = "."
    layout: Layout = "path"
    copies_duplicates: bool = False
    extras: Extras = field(default_factory=Extras)
    endpoint_url: str | None = None
    stages: tuple[Stage, ...] = STAGES

    def order(self) -> BatchOptions:
        """What is written down of it."""
        return BatchOptions(
            roots=tuple(named(root) for root in self.roots),
            selection=self.selection,
            files_from=self.files_from,
            cwd=self.cwd if self.files_from is not None else ".",  # nothing else asks
            layout=self.layout,
            copies_duplicates=self.copies_duplicates,
            extras=self.extras,
            stages=self.stages,
        )


def check_roots(roots: tuple[str, ...]) -> None:
    """Raise UsageError for the first root that cannot be pushed, before any work."""
    for root in roots:
        check_root(root)


class PushRun(Run):
    """One run of `push`."""

    command = "push"

    def __init__(
        self,
        push: Push,
        manifest: Manifest,
        **around: Unpack[Around],
    ) -> None:
        super().__init__(push, manifest, **around)
        self._push = push
        self._uses_first_default = False

    def _is_first_default(self) -> bool:
        return self._uses_first_default

    def _jobs(self) -> list[Job]:
        order = self._push.order()
        push, runs = self._push, self._async_manifest.manifest.runs
        to = resolve_target(push, runs)
        self._uses_first_default = to.first_default
        destination = runs.destination(
            to.url, endpoint_url=to.endpoint_url, region=push.region, profile=push.profile
        )

        def begin(run_id: str, now: float) -> BatchStart:
            batch_id, roots = runs.begin_batch(
                run_id,
                destination.id,
                [root.path for root in order.roots],
                options=order.as_options(),
                now=now,
                walks=Stage.UPLOAD in order.stages,
            )
            if Stage.UPLOAD not in order.stages:
                return BatchStart(batch_id)
            to_scan = zip(order.roots, roots, strict=True)
            return BatchStart(batch_id, tuple(RootToScan(root, *found) for root, found in to_scan))

        return [Job(destination, order, begin, makes_copies=order.copies_duplicates)]

    def _open_store(self, destination: Destination) -> PartStore:
        if destination.url == self._push.default_to:
            # bulkup's own place; of others the directory above must be there: a missing one is a
            # disk that is not mounted.
            with suppress(OSError):
                os.makedirs(os.path.dirname(destination.url), exist_ok=True)
        return super()._open_store(destination)
