"""One push: its options, its target, and the run that carries it out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from bulkup.errors import UsageError
from bulkup.events import Notice
from bulkup.manifest.destinations import Destination, Destinations
from bulkup.model import Stage
from bulkup.operations.destination.push_target import PushTarget, require_paths, resolve_target
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job, RootToScan
from bulkup.run.open_destination import StoreFactory
from bulkup.run.options import BatchOptions, named
from bulkup.run.run import Run
from bulkup.settings.options import RunOptions, UploadOptions
from bulkup.settings.table import Settings
from bulkup.stores.open import read_pem
from bulkup.stores.s3.endpoint import normalise_endpoint
from bulkup.stores.store import PartStore
from bulkup.stores.urls import canonical, is_broker
from bulkup.walk.filters import Rules, Selection
from bulkup.walk.own_files import own_patterns
from bulkup.walk.roots import check_root


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Push:
    """What to push, where to, and how. Roots are absolute paths that were checked."""

    roots: tuple[str, ...]
    upload: UploadOptions
    run: RunOptions = field(default_factory=RunOptions)
    selection: Selection = field(default_factory=Selection)
    cwd: str = "."
    changed: tuple[str, ...] = ()  # only these absolute paths of the roots are scanned

    def check(self) -> None:
        """Raise UsageError for what is wrong whatever the manifest knows."""
        stages = self.upload.stages
        if Stage.EMBED in stages and Stage.PROCESS not in stages:
            raise UsageError(
                "embed needs process: --stages upload,process,embed",
                hint="To embed what was processed before: bulkup embed",
            )
        for root in self.roots:
            check_root(root)
        _ = self.upload.extras
        if self.upload.to is not None:
            canonical(self.upload.to)
        if self.run.endpoint_url is not None:
            normalise_endpoint(self.run.endpoint_url)
        read_pem(self.run.ca_bundle)

    def target(self, destinations: Destinations, environ: Mapping[str, str]) -> PushTarget:
        """Where it goes. Writes nothing. Raises UsageError."""
        return resolve_target(self.roots, self.upload, self.run, destinations, environ)

    def order(self) -> BatchOptions:
        """What the manifest keeps of it, so that a later run can resume the batch."""
        return BatchOptions(
            roots=tuple(named(root) for root in self.roots),
            selection=self.selection,
            files_from=self.upload.files_from,
            changed=self.changed,
            cwd=self.cwd if self.upload.files_from is not None else ".",  # only it needs one
            layout=self.upload.layout,
            copies_duplicates=self.upload.on_duplicate == "copy",
            makes_albums=self.upload.album_from_folder,
            extras=self.upload.extras,
            stages=self.upload.stages,
        )


def plan_of(settings: Settings, paths: Sequence[str], *, cwd: str, now: float) -> Push:
    """The push that the settings describe, checked before any work. Raises UsageError."""
    if not paths:
        raise UsageError("push needs a path", hint="For example: bulkup push ./photos")
    require_paths(paths, has_destination=settings.upload.to is not None)
    roots = tuple(dict.fromkeys(os.path.abspath(path) for path in paths))
    selection = settings.upload.selection(now=now)
    _require_some_time(selection)
    Rules(selection)  # a bad pattern is found before any work
    if selection.all_files:
        files = filter(None, (settings.manifest, settings.log_file, settings.metrics_file))
        own = own_patterns(roots, files)
        selection = replace(selection, exclude=(*selection.exclude, *own))
    push = Push(
        roots=roots,
        upload=settings.upload,
        run=settings.run,
        selection=selection,
        cwd=cwd,
    )
    push.check()
    return push


def _require_some_time(selection: Selection) -> None:
    newer, older = selection.newer_than, selection.older_than
    if newer is not None and older is not None and newer >= older:
        raise UsageError(
            "--newer-than is not before --older-than: no file fits",
            hint="For files of two days to a week ago: --newer-than 7d --older-than 2d",
        )


class PushRun(Run):
    """One run of `push`."""

    command = "push"

    def __init__(
        self, push: Push, context: RunContext, *, store_factory: StoreFactory | None = None
    ) -> None:
        super().__init__(push.run, context, store_factory=store_factory)
        self._push = push
        self._uses_default_first = False

    def _is_first_default(self) -> bool:
        return self._uses_default_first

    def _jobs(self) -> list[Job]:
        push, manifest = self._push, self._context.manifest
        target = push.target(manifest.destinations, self._context.environ)
        order = replace(push.order(), roots=target.roots, subtrees=target.subtrees)
        self._found += [Notice(text) for text in target.notices]
        self._uses_default_first = target.is_first_use_of_default
        destination = manifest.destinations.add(
            target.url,
            endpoint_url=target.endpoint_url,
            region=push.run.region,
            profile=push.run.profile,
            addressing_style=push.run.addressing_style,
        )
        if is_broker(destination.url):
            order = self._order_for_server(order, is_first=not destination.is_reached)

        def begin(run_id: str, now: float) -> BatchStart:
            batch_id, roots = manifest.batches.begin(
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
            return BatchStart(
                batch_id,
                tuple(RootToScan(root, *found) for root, found in to_scan),
                is_new=True,
            )

        return [Job(destination, order, begin, makes_copies=order.copies_duplicates)]

    def _order_for_server(self, order: BatchOptions, *, is_first: bool) -> BatchOptions:
        """The order for a `bulkup serve`: only uploading is for this side. A copy is a path that
        the server records: pairs and sidecars go by paths. Raises UsageError."""
        if Stage.UPLOAD not in order.stages:
            raise UsageError(
                "process and embed are done by the server, not by its clients",
                hint="On the server: bulkup serve --work, or bulkup process and bulkup embed.",
            )
        if is_first and len(order.stages) > 1:
            self._found.append(
                Notice("thumbnails and search are made by the server, if it runs with --work")
            )
        return replace(order, stages=(Stage.UPLOAD,), copies_duplicates=True)

    def _open_store(self, destination: Destination) -> PartStore:
        if destination.url == self._push.upload.default_to:
            # The local store's parent is created. For any other directory it must exist: a
            # missing parent is a disk that is not mounted.
            with suppress(OSError):
                os.makedirs(os.path.dirname(destination.url), exist_ok=True)
        return super()._open_store(destination)
