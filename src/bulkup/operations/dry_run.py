"""What a push would do: a real push over a copy of the manifest, to a store that keeps nothing.

It makes no request, and writes nothing but the copy, in the directory for temporary files (TMPDIR).
The push that follows does the same, unless files change or other programs have written to the
destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from random import Random
from tempfile import TemporaryDirectory
from typing import cast

from bulkup.clock import Clock
from bulkup.errors import ExitCode, ObjectMissing
from bulkup.events import (
    AttemptFailed,
    Emit,
    Event,
    FileDone,
    FilesDone,
    FilesLeftOut,
    Notice,
    RootWalked,
    Summary,
)
from bulkup.manifest.destinations import Destination
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.dry_run import DryRunQueries, NotSent
from bulkup.model import Attributes, Body, Digest, ObjectInfo, Stage, State, Stored
from bulkup.operations.push import Push, PushRun
from bulkup.operations.stages import plan_stages, planned_at
from bulkup.plan_events import FilePlanned, FilesPlanned, Verdict
from bulkup.run.context import new_context
from bulkup.run.open_destination import open_known
from bulkup.stores.store import Capabilities, PartStore
from bulkup.stores.urls import is_broker

FILES_IN_EVENT = 1000

_SENT = ("sent", "adopted")

_VERDICTS: Mapping[State, Verdict] = {
    State.DEAD: "dead",
    State.CLAIMED: "claimed",
    State.READY: "over_limit",
    State.WAITING: "over_limit",
}


@dataclass(frozen=True, slots=True)
class DryRunContext:
    """What the run needs from outside."""

    environ: Mapping[str, str]
    clock: Clock
    random: Random
    emit: Emit
    wants_files: bool  # an event for each file


class DryRun:
    """The plan of one push. `reader` is of the real manifest."""

    def __init__(self, push: Push, reader: Reader, context: DryRunContext) -> None:
        self._later = tuple(stage for stage in push.upload.stages if stage is not Stage.UPLOAD)
        self._push = replace(
            push,
            upload=replace(
                push.upload,
                stages=tuple(stage for stage in push.upload.stages if stage is Stage.UPLOAD),
            ),
            run=replace(
                push.run,
                concurrency=1,  # the order of the events is that of the files
                max_rate_per_second=None,
                bwlimit_bytes_per_second=None,
                max_duration_seconds=None,
                patience_seconds=0.0,
            ),
        )
        self._reader = reader
        self._context = context
        self._run: PushRun | None = None
        # The push makes the folder of its manifest, in which the default store lies.
        self._foresees = not push.target(
            reader.destinations, context.environ
        ).is_first_use_of_default

    def stop(self, reason: str, exit_code: ExitCode) -> None:
        """End soon; see `Run.stop`."""
        if self._run is not None:
            self._run.stop(reason, exit_code)

    async def run(self) -> Summary:
        """Plan the push. Raises UsageError and ManifestError."""
        context = self._context
        with TemporaryDirectory(prefix="bulkup-dry-run-") as folder:
            path = f"{folder}/manifest.db"
            self._reader.dry_run.copy_to(path)
            with Manifest(path) as manifest, Reader(path) as copy:
                plan = _Plan(copy.dry_run, self._reader.dry_run, context)
                run = PushRun(
                    self._push,
                    new_context(
                        manifest,
                        clock=context.clock,
                        random=context.random,
                        emit=plan.emit,
                        environ=context.environ,
                        wants_files=True,
                    ),
                    store_factory=lambda destination: plan.store(
                        self._open(destination), destination.id, foresees=self._foresees
                    ),
                )
                if self._push.upload.on_duplicate == "copy":
                    plan.hold_back_duplicates()
                self._run = run
                summary = plan.end(await run.run())
                later = () if is_broker(summary.destination) else self._later
                stages = plan_stages(
                    manifest,
                    plan.destination_id,
                    later,
                    model=self._push.run.embed.model,
                    now=context.clock.now(),
                )
                if not self._push.upload.stages:
                    plan.emit_later(later, self._push.run.limit)
                return replace(summary, stages={**summary.stages, **stages})

    def _open(self, destination: Destination) -> PartStore:
        context = self._context
        return open_known(
            destination.url, destination, self._push.run, context.environ, context.clock
        )


class _Plan:
    """The events of a push, translated into those of a dry run."""

    def __init__(
        self, planned: DryRunQueries, known: DryRunQueries, context: DryRunContext
    ) -> None:
        self._planned = planned
        self._known = known
        self._emit = context.emit
        self._wants_files = context.wants_files
        self.destination_id = 0
        self._sent_bytes = 0
        self._failed: set[str] = set()  # paths
        self._held_back: dict[str, FilePlanned] | None = None  # duplicates that may be copied

    def store(self, real: PartStore, destination_id: int, *, foresees: bool) -> PartStore:
        """The planned store; no method of `real` is called that asks or writes anything."""
        self.destination_id = destination_id
        store = PlannedStore(
            real, lambda key: self._planned.content_at(key, destination_id), foresees=foresees
        )
        return cast("PartStore", store)  # parts, listings and probes are never asked for

    def hold_back_duplicates(self) -> None:
        """Copies follow after all uploads: a file is a duplicate until then."""
        self._held_back = {}

    def emit(self, event: Event) -> None:
        """Called by the push."""
        if isinstance(event, FilesDone):
            self._sent_bytes += sum(f.size_bytes for f in event.files if f.how in _SENT)
            if self._wants_files:
                self._emit_planned(filter(None, map(self._planned_file, event.files)))
        elif isinstance(event, AttemptFailed):
            self._failed.add(event.path)
        elif isinstance(event, FilesLeftOut | RootWalked) or (
            isinstance(event, Notice) and event.is_error
        ):
            self._emit(event)

    def end(self, summary: Summary) -> Summary:
        """The rest of the plan, and its summary."""
        if self._wants_files:
            self._emit_planned((self._held_back or {}).values())
            self._emit_planned(map(self._not_sent, self._planned.not_sent()))
        return replace(
            summary,
            run_id="",
            sent=summary.sent + summary.adopted,
            sent_bytes=self._sent_bytes,
            adopted=0,
            copied=0 if self._held_back is None else summary.copied,
            throttled=0,
            dry_run=True,
            exit_code=summary.exit_code if summary.exit_code == ExitCode.DESTINATION else 0,
        )

    def emit_later(self, stages: Iterable[Stage], limit: int | None) -> None:
        """The files that wait for later stages, when these are all that the push has."""
        if self._wants_files:
            for stage in stages:
                for files in planned_at(self._planned, self.destination_id, stage, limit):
                    self._emit(files)

    def _planned_file(self, file: FileDone) -> FilePlanned | None:
        if file.how == "duplicate":
            key = self._known.key_of(file.digest, self.destination_id)
            planned = FilePlanned(file.path, "duplicate", key, file.digest, file.size_bytes)
            if self._held_back is None:
                return planned
            self._held_back[file.path] = planned
            return None
        if file.how == "copied" and self._held_back is None:  # its path is recorded by a server
            return None
        if file.how == "copied":
            assert file.key is not None  # only a duplicate may be without
            content = self._planned.content_at(file.key, self.destination_id)
            digest = None if content is None else content[0]
            assert self._held_back is not None
            self._held_back.pop(file.path, None)
            return FilePlanned(file.path, "copy", file.key, digest, file.size_bytes)
        return FilePlanned(file.path, "send", file.key, file.digest, file.size_bytes)

    def _not_sent(self, one: NotSent) -> FilePlanned:
        verdict = "unreadable" if one.path in self._failed else _VERDICTS[one.state]
        reason = one.error if verdict in ("dead", "unreadable") else None
        return FilePlanned(one.path, verdict, None, one.digest, one.size_bytes, reason)

    def _emit_planned(self, files: Iterable[FilePlanned]) -> None:
        source = iter(files)
        while some := tuple(islice(source, FILES_IN_EVENT)):
            self._emit(FilesPlanned(some))


class PlannedStore:
    """The part of a store that a push needs: accepts everything at once and keeps nothing.

    `content_at` gives digest and size of the content that the plan has for a key. It counts as
    stored as soon as it is planned, so that a large file is not read a second time to be sent in
    parts.
    """

    def __init__(
        self,
        real: PartStore,
        content_at: Callable[[str], tuple[Digest, int] | None],
        *,
        foresees: bool,
    ) -> None:
        self.url = real.url
        self.prefix = real.prefix
        self.part_threshold_bytes = real.part_threshold_bytes
        self.capabilities = Capabilities(conditional_writes=True, checksums=True)
        self._real = real
        self._content_at = content_at
        self._foresees = foresees

    async def check(self) -> None:
        """Raise DestinationError for a directory that the push could not use."""
        from bulkup.stores.directory.store import DirectoryStore

        if self._foresees and isinstance(self._real, DirectoryStore):
            self._real.foresee()

    async def probed(self) -> Capabilities:
        return self.capabilities

    async def put(
        self, key: str, body: Body, *, digest: Digest, attributes: Attributes, exclusive: bool
    ) -> Stored:
        return Stored()

    async def copy(self, source_key: str, key: str, *, size_bytes: int, exclusive: bool) -> Stored:
        return Stored()

    async def head(self, key: str, *, with_checksum: bool = False) -> ObjectInfo:
        content = self._content_at(key)
        if content is None:
            raise ObjectMissing(f"nothing is planned for {key}")
        digest, size_bytes = content
        return ObjectInfo(key, size_bytes, digest=digest)

    async def close(self) -> None:
        await self._real.close()
