"""One push over its roots, from the walk to the summary."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from random import Random

from bulkup.clock import Clock
from bulkup.discover.listed import listed, read_paths
from bulkup.discover.listing import FolderListing
from bulkup.discover.roots import anchor, check_root
from bulkup.discover.select import Selection
from bulkup.discover.walk import walk
from bulkup.errors import BulkupError, DestinationError, ExitCode, ManifestCorrupt
from bulkup.manifest.manifest import Manifest
from bulkup.manifest.runs import Destination, RunRow
from bulkup.manifest.walks import Scope
from bulkup.pace.bucket import TokenBucket
from bulkup.pace.pacer import Learned, Pacer
from bulkup.run.copying import Copying
from bulkup.run.events import Emit, Notice, RunStarted, Snapshot, StageCount, Summary
from bulkup.run.gate import Gate
from bulkup.run.ledger import Ledger
from bulkup.run.liveness import HEARTBEAT_SECONDS, here, process_started
from bulkup.run.loading import Loading, Target
from bulkup.run.riding import Riding
from bulkup.run.sender import Sender
from bulkup.run.uploading import Limits, Uploading
from bulkup.run.walking import Walking
from bulkup.stores import open_store
from bulkup.stores.store import Abilities, PartStore
from bulkup.upload.attributes import Extras
from bulkup.upload.naming import Layout

BANDWIDTH_BURST_SECONDS = 0.25
"""--bwlimit holds over a quarter of a second: no longer surge fills the uplink's queue."""


@dataclass(frozen=True, slots=True)
class Push:
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
    region: str | None = None
    profile: str | None = None
    ca_bundle: str | None = None
    concurrency: int | None = None  # None: adaptive
    max_rate_per_second: float | None = None
    bwlimit_bytes_per_second: float | None = None
    limit: int | None = None
    max_duration_seconds: float | None = None
    max_errors: int | None = None
    patience_seconds: float = 30.0
    part_threshold_bytes: int | None = None
    part_size_bytes: int = 16 << 20
    stale_after_seconds: float = 600.0


def check_roots(roots: tuple[str, ...]) -> None:
    """Raise UsageError for the first root that cannot be pushed, before any work."""
    for root in roots:
        check_root(root)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A root as the manifest keeps it: the directory that the assets' paths are relative to."""

    root: str  # as named
    path: str
    is_whole: bool  # a directory, all of which is walked


def _anchored(root: str) -> _Anchored:
    if os.path.isdir(root):
        return _Anchored(root, root, is_whole=True)
    return _Anchored(root, anchor(root), is_whole=False)


class PushRun:
    """One run of `push`. Made and used in one event loop."""

    def __init__(
        self,
        push: Push,
        manifest: Manifest,
        *,
        environ: Mapping[str, str],
        clock: Clock,
        random: Random,
        emit: Emit,
        wants_files: bool,
    ) -> None:
        self._push = push
        self._ledger = Ledger(manifest)
        self._environ = environ
        self._clock = clock
        self._random = random
        self._emit = emit
        self._wants_files = wants_files
        self._began = clock.monotonic()
        self._here = here()
        self._run_id = secrets.token_hex(6)
        self._walking: list[Walking] = []
        self._walks: asyncio.Task[None] | None = None
        self._uploading: Uploading | None = None
        self._gate: Gate | None = None
        self._riding: Riding | None = None
        self._is_walking = True
        self._stop_reason: str | None = None
        self._copied = 0

    def stop(self, reason: str) -> None:
        """End soon: claim nothing more, let what is in flight end, settle."""
        self._stop_reason = self._stop_reason or reason
        if self._uploading is not None:
            self._uploading.stop(reason)
        if self._walks is not None:
            self._walks.cancel()

    async def run(self) -> Summary:
        """Push. Raises BulkupError only when nothing could be recorded (usage, manifest)."""
        manifest, push = self._ledger.manifest, self._push
        self._check_manifest()
        anchors = [_anchored(root) for root in push.roots]
        destination, first_default = self._destination(anchors[0].path)
        store = self._open_store(destination)
        now = self._clock.now()
        manifest.runs.begin(
            RunRow(
                self._run_id,
                "push",
                self._here.host,
                os.getpid(),
                process_started(os.getpid()),
                now,
                now,
            )
        )
        self._emit(RunStarted(self._run_id, "push", destination.url, manifest.path, first_default))
        batch_id, roots = manifest.runs.begin_batch(
            self._run_id,
            destination.id,
            [named.path for named in anchors],
            options={"layout": push.layout, "roots": list(push.roots)},
            now=now,
        )
        error: BaseException | None = None
        try:
            await self._work(destination, store, batch_id, anchors, roots)
        except (BulkupError, asyncio.CancelledError) as raised:
            error = raised
        finally:
            await store.close()
        return await self._end(destination, batch_id, error)

    # Parts of a run -------------------------------------------------------------------------

    def _is_gone(self, run: RunRow) -> bool:
        return run.id != self._run_id and self._here.is_gone(
            run,
            now=self._clock.now(),
            stale_after_seconds=self._push.stale_after_seconds,
        )

    def _check_manifest(self) -> None:
        """After a run that did not end cleanly: is the file whole, and who has void claims?"""
        runs = self._ledger.manifest.runs
        if not any(self._is_gone(run) for run in runs.open_runs()):
            return
        damage = runs.quick_check()
        if damage is not None:
            raise ManifestCorrupt(
                f"{self._ledger.manifest.path} is damaged: {damage}",
                hint="Move it away; what was pushed is still at the destination.",
            )
        runs.bury(self._is_gone, now=self._clock.now())

    def _destination(self, root: str) -> tuple[Destination, bool]:
        """Where to: as said now, else as the root remembers, else the embedded store."""
        runs, push = self._ledger.manifest.runs, self._push
        url, endpoint_url, first_default = push.to, push.endpoint_url or "", False
        if url is None:
            known = runs.destination_of(root)
            if known is not None:
                url, endpoint_url = known.url, push.endpoint_url or known.endpoint_url
            else:
                url, first_default = push.default_to, True
        url = canonical(url)
        if not url.startswith("s3://"):
            endpoint_url = ""
        return (
            runs.destination(
                url, endpoint_url=endpoint_url, region=push.region, profile=push.profile
            ),
            first_default,
        )

    def _open_store(self, destination: Destination) -> PartStore:
        push = self._push
        if destination.url == push.default_to:
            # bulkup's own place; of others the directory above must be there: a missing one is a
            # disk that is not mounted.
            with suppress(OSError):
                os.makedirs(os.path.dirname(destination.url), exist_ok=True)
        return open_store(
            destination.url,
            environ=self._environ,
            clock=self._clock,
            endpoint_url=destination.endpoint_url or None,
            region=push.region or destination.region,
            profile=push.profile or destination.profile,
            ca_bundle=push.ca_bundle,
            abilities=Abilities(
                conditional_writes=destination.conditional_writes, checksums=destination.checksums
            ),
        )

    async def _work(
        self,
        destination: Destination,
        store: PartStore,
        batch_id: int,
        anchors: list[_Anchored],
        roots: list[tuple[int, bool]],
    ) -> None:
        push, ledger = self._push, self._ledger
        pacer = self._pacer(destination)
        bandwidth = push.bwlimit_bytes_per_second
        self._gate = gate = Gate(
            pacer,
            self._clock,
            TokenBucket(bandwidth, bandwidth * BANDWIDTH_BURST_SECONDS, now=self._clock.monotonic())
            if bandwidth
            else None,
        )
        sender = Sender(
            store,
            ledger,
            gate,
            destination_id=destination.id,
            extras=push.extras,
            clock=self._clock,
            random=self._random,
        )
        self._riding = riding = Riding(sender.check, self._clock, self._emit)
        threshold = push.part_threshold_bytes
        if threshold is None or store.part_threshold_bytes is None:
            threshold = store.part_threshold_bytes
        target = Target(
            destination_id=destination.id,
            batch_id=batch_id,
            run_id=self._run_id,
            prefix=store.prefix,
            layout=push.layout,
            copies_duplicates=push.copies_duplicates,
            part_threshold_bytes=threshold,
            part_size_bytes=push.part_size_bytes,
        )
        duration = push.max_duration_seconds
        self._uploading = uploading = Uploading(
            ledger,
            sender,
            Loading(ledger, target),
            gate,
            riding,
            batch_id=batch_id,
            run_id=self._run_id,
            destination_id=destination.id,
            limits=Limits(
                contents=push.limit,
                deadline=None if duration is None else self._began + duration,
                errors=push.max_errors,
                patience_seconds=push.patience_seconds,
            ),
            clock=self._clock,
            random=self._random,
            emit=self._emit,
            wants_files=self._wants_files,
        )
        if self._stop_reason is not None:
            uploading.stop(self._stop_reason)
        beating = asyncio.create_task(self._beat())
        beating.add_done_callback(self._heart_stopped)
        walks = asyncio.create_task(self._walk(destination, batch_id, anchors, roots))
        walks.add_done_callback(lambda _: uploading.end_of_walk())
        self._walks = walks
        if self._stop_reason is not None:
            walks.cancel()
        try:
            await uploading.run()
            if uploading.stop_reason is not None:
                walks.cancel()
            await asyncio.wait({walks})
            if not walks.cancelled():
                walks.result()  # raises what ended the walk, also after a stop
            if push.copies_duplicates:
                copying = Copying(
                    ledger,
                    sender,
                    destination_id=destination.id,
                    emit=self._emit,
                    is_stopped=lambda: uploading.stop_reason is not None,
                )
                self._copied = await copying.run()
        finally:
            for task in (beating, walks):
                task.cancel()
            await asyncio.gather(beating, walks, return_exceptions=True)
        await self._learn(destination, pacer)
        if uploading.stop_error is not None:
            raise uploading.stop_error

    def _pacer(self, destination: Destination) -> Pacer:
        learned = None
        if destination.learned_limit is not None and destination.learned_at is not None:
            learned = Learned(
                destination.learned_limit, destination.learned_rate, destination.learned_at
            )
        return Pacer(
            self._clock,
            fixed_limit=self._push.concurrency,
            max_rate_per_second=self._push.max_rate_per_second,
            learned=learned,
        )

    async def _learn(self, destination: Destination, pacer: Pacer) -> None:
        assert self._uploading is not None
        if self._push.concurrency is not None or not self._uploading.counts.sent:
            return
        learned = pacer.learned()
        await self._ledger.call(
            self._ledger.manifest.runs.learn,
            destination.id,
            conditional_writes=None,
            checksums=None,
            limit=learned.limit,
            rate=learned.rate_per_second,
            now=learned.measured_at,
        )

    async def _beat(self) -> None:
        """Signs of life, and a look at whose signs have ceased."""
        runs = self._ledger.manifest.runs
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            await self._ledger.call(runs.beat, self._run_id, now=self._clock.now())
            await self._ledger.call(runs.bury, self._is_gone, now=self._clock.now())

    def _heart_stopped(self, beating: asyncio.Task[None]) -> None:
        """A run that gives no signs of life would lose its claims to others while it works."""
        if self._uploading is None or beating.cancelled():
            return
        error = beating.exception()
        if error is not None:
            self._uploading.stop("no sign of life can be recorded", error)

    # The walk ----------------------------------------------------------------------------------

    async def _walk(
        self,
        destination: Destination,
        batch_id: int,
        anchors: list[_Anchored],
        roots: list[tuple[int, bool]],
    ) -> None:
        assert self._uploading is not None
        uploading = self._uploading
        pending = await self._ledger.call(self._ledger.manifest.queue.has_pending, destination.id)
        walkings: dict[str, tuple[Walking, _Anchored]] = {}
        for named, (root_id, is_known) in zip(anchors, roots, strict=True):
            walking = Walking(
                self._ledger,
                Scope(root_id, named.path, destination.id, batch_id, self._run_id),
                clock=self._clock,
                emit=self._emit,
                is_settled=is_known and not pending,
                hand_over=uploading.take,
                room=uploading.room,
            )
            self._walking.append(walking)
            walkings[named.root] = walking, named
        if self._push.files_from is not None:
            await self._walk_listed(walkings)
        else:
            for walking, named in walkings.values():
                listings = walk(named.root, self._push.selection)
                if not named.is_whole:
                    listings = map(_not_exhaustive, listings)
                await walking.walk(listings, whole_root=named.is_whole)
        self._is_walking = False

    async def _walk_listed(self, walkings: dict[str, tuple[Walking, _Anchored]]) -> None:
        """Listed files: some of each root, so nothing is ever missing."""
        assert self._push.files_from is not None
        found = listed(
            read_paths(self._push.files_from),
            list(walkings),
            self._push.selection,
            cwd=self._push.cwd,
        )
        waiting: dict[str, list[FolderListing]] = {}
        loop = asyncio.get_running_loop()
        while some := await loop.run_in_executor(None, _some, found):
            for root, listing in some:
                waiting.setdefault(root, []).append(_not_exhaustive(listing))
            for root, listings in waiting.items():
                await walkings[root][0].walk(iter(listings), whole_root=False)
            waiting.clear()

    # The end -----------------------------------------------------------------------------------

    async def _end(
        self, destination: Destination, batch_id: int, error: BaseException | None
    ) -> Summary:
        if error is not None and not isinstance(error, (DestinationError, asyncio.CancelledError)):
            raise error
        left = await self._ledger.call(
            self._ledger.manifest.queue.left, batch_id, destination.id, self._run_id
        )
        summary = self._summary(destination, left.ready, left.waiting, left.dead, left.claimed)
        exit_code = ExitCode.DONE
        if isinstance(error, DestinationError):
            exit_code = error.exit_code
        elif left.waiting or left.dead:
            exit_code = ExitCode.UNFINISHED
        if isinstance(error, DestinationError):
            hint = f" {error.hint}" if error.hint else ""
            self._emit(Notice(f"{error}{hint}", is_error=True))
        summary = replace(
            summary, exit_code=int(exit_code), interrupted=self._stop_reason is not None
        )
        await self._ledger.call(
            self._ledger.manifest.runs.end,
            self._run_id,
            now=self._clock.now(),
            exit_code=int(exit_code),
            summary=asdict(summary),
        )
        self._emit(summary)
        return summary

    def _summary(
        self, destination: Destination, ready: int, waiting: int, dead: int, claimed: int
    ) -> Summary:
        walked = [w.walked for w in self._walking]
        counts = self._uploading.counts if self._uploading is not None else None
        return Summary(
            run_id=self._run_id,
            command="push",
            destination=destination.url,
            seconds=self._clock.monotonic() - self._began,
            files=sum(w.files for w in walked),
            new=sum(w.new for w in walked),
            changed=sum(w.changed for w in walked),
            unchanged=sum(w.unchanged for w in walked),
            gone=sum(w.gone for w in walked),
            left_out=sum(w.left_out for w in walked),
            sent=counts.sent if counts else 0,
            sent_bytes=counts.sent_bytes if counts else 0,
            adopted=counts.adopted if counts else 0,
            duplicates=counts.duplicates if counts else 0,
            duplicate_bytes=counts.duplicate_bytes if counts else 0,
            copied=self._copied,
            waiting=waiting,
            dead=dead,
            ready=ready,
            claimed_elsewhere=claimed,
            throttled=self._gate.throttled if self._gate else 0,
            failures={str(k): v for k, v in counts.failures.items()} if counts else {},
        )

    def snapshot(self) -> Snapshot:
        """Where the run stands. Safe from any thread: it reads plain numbers."""
        walked = [w.walked for w in self._walking]
        counts = self._uploading.counts if self._uploading is not None else None
        gate, riding = self._gate, self._riding
        return Snapshot(
            upload=StageCount(
                done=counts.done_files if counts else 0,
                failed=counts.failed if counts else 0,
                total=sum(w.to_do for w in walked),
                done_bytes=counts.done_bytes if counts else 0,
                total_bytes=sum(w.to_do_bytes for w in walked),
            ),
            walking=self._is_walking,
            walked_files=sum(w.files for w in walked),
            window=gate.pacer.limit if gate else 0,
            in_flight=gate.pacer.in_flight if gate else 0,
            throttled=gate.throttled if gate else 0,
            errors=counts.failed if counts else 0,
            elapsed_seconds=self._clock.monotonic() - self._began,
            paused=riding.reason if riding else None,
        )


def canonical(url: str) -> str:
    """A destination as the manifest keeps it: S3 URLs without a closing slash, directories as
    absolute paths."""
    if url.startswith("s3://"):
        return "s3://" + url.removeprefix("s3://").rstrip("/")
    if url.startswith("file://"):
        return url
    if "://" in url:
        return url
    return os.path.abspath(os.path.expanduser(url))


def _not_exhaustive(listing: FolderListing) -> FolderListing:
    return replace(listing, is_exhaustive=False)


def _some(found: Iterator[tuple[str, FolderListing]]) -> list[tuple[str, FolderListing]]:
    some = []
    for one in found:
        some.append(one)
        if len(some) >= 64:  # worth a hop between threads
            break
    return some
