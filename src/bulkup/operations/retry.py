"""Try failed items again at once, from the manifest alone, without a scan.

The exception: folders and archives that could not be read are scanned again, with the selection
of the push that found them, since their files are not in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from bulkup.errors import UsageError
from bulkup.events import Emit, Notice, Summary
from bulkup.manifest.destinations import Destination
from bulkup.manifest.queue.requeue import RetryCandidate, RetryQueue
from bulkup.manifest.queue.uploads import Left
from bulkup.manifest.reader import Reader
from bulkup.manifest.reports.status import matcher
from bulkup.model import Stage
from bulkup.pace.backoff import GRANTED_ATTEMPTS
from bulkup.plan_events import FilePlanned, FilesPlanned, Verdict
from bulkup.run.context import RunContext
from bulkup.run.job import BatchStart, Job, RootToScan
from bulkup.run.open_destination import StoreFactory
from bulkup.run.options import (
    STAGES,
    BatchOptions,
    NamedRoot,
    Subtree,
    batch_options_of,
)
from bulkup.run.run import Run
from bulkup.run.summary import summary_of
from bulkup.settings.options import RunOptions
from bulkup.walk.filters import Selection
from bulkup.walk.roots import check_root

_VERDICTS: Final[Mapping[Stage, Verdict]] = {
    Stage.UPLOAD: "send",
    Stage.PROCESS: "process",
    Stage.EMBED: "embed",
}


@dataclass(frozen=True, slots=True)
class FailureFilter:
    """Which failures to retry; None: all."""

    stage: str | None = None
    error_class: str | None = None
    pattern: str | None = None  # a shell glob, as `files` takes it
    items: frozenset[int] | None = None  # ids

    @property
    def is_all(self) -> bool:
        return self == FailureFilter()


def path_of(candidate: RetryCandidate) -> str:
    """The absolute path."""
    return f"{candidate.root.rstrip('/')}/{candidate.folder}{candidate.name}"


def matching(
    retries: RetryQueue, wanted: FailureFilter, *, accepted: bool = False
) -> Iterator[RetryCandidate]:
    """The files that match, by path: those of accepted failures, or those of all others."""
    matches = matcher(wanted.pattern)
    for candidate in retries.candidates(wanted.stage, wanted.error_class, accepted=accepted):
        is_asked = wanted.items is None or candidate.item_id in wanted.items
        if is_asked and matches(path_of(candidate)):
            yield candidate


def plan_retry(wanted: FailureFilter, reader: Reader, emit: Emit) -> Summary:
    """What `retry` would do: nothing is changed. Emits FilesPlanned."""
    urls = {one.id: one.url for one in reader.destinations.all()}
    used: dict[str, None] = {}
    stages: dict[str, set[int]] = {}
    files = []
    for one in matching(reader.retry_queue, wanted):
        used[urls[one.destination_id]] = None
        stages.setdefault(one.stage, set()).add(one.item_id)
        verdict = _VERDICTS[Stage(one.stage)]
        files.append(FilePlanned(path_of(one), verdict, None, None, one.size_bytes, one.error))
    if files:
        emit(FilesPlanned(tuple(files)))
    return replace(
        summary_of((), Left(0)),
        command=RetryRun.command,
        destination=", ".join(used),
        stages={
            stage: {"ready": len(items), "total": len(items)} for stage, items in stages.items()
        },
        dry_run=True,
    )


@dataclass(slots=True)
class _RetryGroup:
    """Items of one destination that are sent with the same options."""

    order: BatchOptions
    items: dict[int, int] = field(default_factory=dict)  # by id; their sizes
    unreadable: dict[int, Subtree] = field(default_factory=dict)


class RetryRun(Run):
    """One run of `retry`. Without anything to retry it has no jobs, and ends at once."""

    command = "retry"

    def __init__(
        self,
        wanted: FailureFilter,
        options: RunOptions,
        context: RunContext,
        *,
        replaced: Mapping[str, Any] = MappingProxyType({}),
        store_factory: StoreFactory | None = None,
    ) -> None:
        """`replaced` are fields of Extras that replace those of the pushes."""
        super().__init__(options, context, store_factory=store_factory)
        self._wanted = wanted
        self._replaced = replaced
        self._orders: dict[int | None, BatchOptions | None] = {}

    def _jobs(self) -> list[Job]:
        manifest = self._context.manifest
        groups: dict[tuple[int, str], _RetryGroup] = {}
        for candidate in matching(manifest.retry_queue, self._wanted):
            self._add(candidate, groups)
        destinations = {one.id: one for one in manifest.destinations.all()}
        jobs = [
            self._job(destinations[destination_id], group)
            for (destination_id, _), group in groups.items()
        ]
        if self._wanted.is_all:
            served = {job.destination.id for job in jobs}
            for destination_id in manifest.retry_queue.open_copies():
                if destination_id not in served:
                    order = self._order(manifest.batches.latest(destination_id)) or BatchOptions()
                    jobs.append(
                        self._job(destinations[destination_id], _RetryGroup(_without_files(order)))
                    )
        return jobs

    def _add(self, candidate: RetryCandidate, groups: dict[tuple[int, str], _RetryGroup]) -> None:
        """Add a candidate to those that are sent with the same options."""
        begun_with = self._order(candidate.batch_id)
        order = _without_files(begun_with or BatchOptions())
        order = replace(
            order,
            stages=_stages(Stage(candidate.stage), begun_with),
            extras=replace(order.extras, **self._replaced),
        )
        if not candidate.is_unreadable:
            group = groups.setdefault((candidate.destination_id, repr(order)), _RetryGroup(order))
            group.items[candidate.item_id] = candidate.size_bytes
        elif begun_with is not None and _has_root(candidate):
            order = replace(order, selection=begun_with.selection)
            group = groups.setdefault((candidate.destination_id, repr(order)), _RetryGroup(order))
            subtree = Subtree(candidate.root, candidate.folder, candidate.name)
            group.unreadable[candidate.item_id] = subtree
        else:
            self._is_unfinished = True
            self._found.append(
                Notice(
                    f"{path_of(candidate)} cannot be scanned again from here. "
                    f"Run: bulkup push {candidate.root}"
                )
            )

    def _order(self, batch_id: int | None) -> BatchOptions | None:
        """The options of the batch; None when the manifest no longer has it."""
        if batch_id not in self._orders:
            options = self._context.manifest.batches.options(batch_id)
            self._orders[batch_id] = None if options is None else batch_options_of(options)
        return self._orders[batch_id]

    def _job(self, destination: Destination, group: _RetryGroup) -> Job:
        roots = dict.fromkeys(subtree.root for subtree in group.unreadable.values())
        order = replace(
            group.order,
            roots=tuple(NamedRoot(root, root, is_whole=True) for root in roots),
            subtrees=tuple(group.unreadable.values()),
        )
        return Job(
            destination,
            order,
            partial(self._begin, destination, order, group),
            makes_copies=Stage.UPLOAD in order.stages,
            items=len(group.items) + len(group.unreadable),
            is_batch_only=True,
        )

    def _begin(
        self,
        destination: Destination,
        order: BatchOptions,
        group: _RetryGroup,
        run_id: str,
        now: float,
    ) -> BatchStart:
        """Begin a batch of the group's items, with more attempts for each."""
        manifest = self._context.manifest
        batch_id, roots = manifest.batches.begin(
            run_id,
            destination.id,
            [root.path for root in order.roots],
            options=order.as_options(),
            now=now,
            remembers=False,
        )
        queue = manifest.retry_queue
        granted = queue.requeue(list(group.items), batch_id=batch_id, attempts=GRANTED_ATTEMPTS)
        if Stage.UPLOAD not in order.stages:
            return BatchStart(batch_id)
        queue.adopt_unreadable(list(group.unreadable), batch_id=batch_id)
        to_scan = zip(order.roots, roots, strict=True)
        return BatchStart(
            batch_id,
            tuple(RootToScan(root, root_id, is_known=False) for root, (root_id, _) in to_scan),
            granted.items,
            granted.size_bytes,
        )


def _has_root(candidate: RetryCandidate) -> bool:
    try:
        check_root(candidate.root)
    except UsageError:
        return False
    return True


def _stages(first: Stage, begun_with: BatchOptions | None) -> tuple[Stage, ...]:
    """The stage that failed, and the later ones of its batch."""
    if begun_with is None and first is not Stage.UPLOAD:
        return (first,)
    wanted = STAGES if begun_with is None else begun_with.stages
    stages = list(Stage)
    return (first, *(one for one in stages[stages.index(first) + 1 :] if one in wanted))


def _without_files(order: BatchOptions) -> BatchOptions:
    """The options without the choice of files: those that items of several batches may share."""
    return replace(
        order, roots=(), selection=Selection(), files_from=None, cwd=BatchOptions().cwd, subtrees=()
    )
