"""The verbs as async functions, for the caller's own event loop.

Each has the arguments of the function of the same name in `bulkup`, which waits for it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from random import Random
from typing import Literal, Unpack, overload

from bulkup.api import checks
from bulkup.api.listener import OnEvent, OnProgress, listen
from bulkup.api.options import (
    LOG,
    EmbedKeywords,
    ManifestKeywords,
    Moment,
    Paths,
    ProcessKeywords,
    PullKeywords,
    PushKeywords,
    RetryKeywords,
    SearchKeywords,
    StrPath,
    VerifyKeywords,
    WorkKeywords,
    absolute,
    as_written,
    listed,
    settings_of,
)
from bulkup.api.plans import planned_backlog, planned_push, planned_retry
from bulkup.api.results import FailedFile, StatusResult, VerifyFinding, status_result
from bulkup.api.verification import Findings, VerifyRequest, depth_of, verify_destinations
from bulkup.clock import SystemClock
from bulkup.errors import ErrorClass
from bulkup.events import Summary
from bulkup.manifest.reader import Reader
from bulkup.operations.pictures.search_request import (
    FoundPicture,
    SearchRequest,
    answer,
    found_pictures,
    matching_digests,
)
from bulkup.operations.pull import PullRequest, PullRun, no_manifest
from bulkup.operations.push import PushRun, plan_of
from bulkup.operations.resume import ResumeRun
from bulkup.operations.retry import FailureFilter, RetryRun
from bulkup.operations.stages import EmbedRun, ProcessRun
from bulkup.operations.status import status_document
from bulkup.run.descriptors import check_descriptors
from bulkup.run.pull.events import PullSummary
from bulkup.settings.table import Settings


async def push(
    paths: Paths,
    *,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[PushKeywords],
) -> Summary:
    """Upload, process and embed; see `bulkup.push`."""
    settings = settings_of(options, PushKeywords)
    plan = plan_of(settings, listed(paths), cwd=absolute("."), now=time.time())
    if dry_run:
        return await planned_push(plan, settings, on_event)
    return await listen(partial(PushRun, plan), settings, on_event, on_progress)


async def resume(
    *,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[WorkKeywords],
) -> Summary:
    """Continue interrupted pushes; see `bulkup.resume`."""
    settings = settings_of(options, WorkKeywords)
    return await listen(partial(ResumeRun, settings.run), settings, on_event, on_progress)


async def retry(
    *,
    failed: Literal[True] = True,
    stage: Literal["upload", "process", "embed"] | None = None,
    error: ErrorClass | str | None = None,
    path: str | None = None,
    item: Iterable[int] = (),
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[RetryKeywords],
) -> Summary:
    """Try failed files again; see `bulkup.retry`."""
    settings = settings_of(options, RetryKeywords)
    checks.retry(stage, error)
    error_class = None if error is None else str(error)
    wanted = FailureFilter(stage, error_class, path, frozenset(item) or None)
    if dry_run:
        return await asyncio.to_thread(planned_retry, wanted, settings, on_event)
    replaced = {
        name: value
        for name, value in asdict(settings.upload.extras).items()
        if options.get("tag" if name == "tags" else name) is not None
    }
    begin = partial(RetryRun, wanted, settings.run, replaced=replaced)
    return await listen(begin, settings, on_event, on_progress)


async def process(
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[ProcessKeywords],
) -> Summary:
    """Make thumbnails and read metadata; see `bulkup.process`."""
    settings = settings_of(options, ProcessKeywords)
    if dry_run:
        return await asyncio.to_thread(planned_backlog, ProcessRun, settings, force, on_event)
    run = settings.run.forced() if force else settings.run
    return await listen(partial(ProcessRun, run, force=force), settings, on_event, on_progress)


async def embed(
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[EmbedKeywords],
) -> Summary:
    """Make processed pictures searchable; see `bulkup.embed`."""
    settings = settings_of(options, EmbedKeywords)
    if dry_run:
        return await asyncio.to_thread(planned_backlog, EmbedRun, settings, force, on_event)
    run = settings.run.forced() if force else settings.run
    return await listen(partial(EmbedRun, run, force=force), settings, on_event, on_progress)


async def pull(
    globs: str | Iterable[str] = (),
    *,
    into: StrPath,
    root: Paths = (),
    album: str | None = None,
    search: str | None = None,
    from_: StrPath | None = None,
    deleted: bool = False,
    duplicates: Literal["link", "copy"] = "link",
    restore: bool = False,
    restore_days: int = 7,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[PullKeywords],
) -> PullSummary:
    """Bring files back; see `bulkup.pull`."""
    checks.pull(duplicates, restore_days)
    settings = settings_of(options, PullKeywords, to=from_)
    digests = await asyncio.to_thread(_digests, settings, search)
    request = PullRequest(
        into=absolute(into),
        patterns=tuple(listed(globs)),
        roots=tuple(listed(root)),
        digests=digests,
        album=album,
        source=None if from_ is None else settings.upload.to,
        deleted=deleted,
        links=duplicates == "link",
        restore_days=restore_days if restore else None,
        dry_run=dry_run,
    )
    return await listen(partial(PullRun, request, settings.run), settings, on_event, on_progress)


def _digests(settings: Settings, search: str | None) -> frozenset[str] | None:
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            raise no_manifest(settings.manifest)
        if search is None:
            return None
        return matching_digests(reader, search, settings.run, SystemClock(), Random())


@overload
async def status(
    *, accepted: Literal[True], **options: Unpack[ManifestKeywords]
) -> list[FailedFile]: ...
@overload
async def status(
    *, failed: Literal[True], **options: Unpack[ManifestKeywords]
) -> list[FailedFile]: ...
@overload
async def status(
    *,
    failed: Literal[False] = False,
    accepted: Literal[False] = False,
    **options: Unpack[ManifestKeywords],
) -> StatusResult: ...
async def status(
    *, failed: bool = False, accepted: bool = False, **options: Unpack[ManifestKeywords]
) -> StatusResult | list[FailedFile]:
    """Counts by stage and state, or failed files; see `bulkup.status`."""
    checks.only_one(failed=failed, accepted=accepted)
    settings = settings_of(options, ManifestKeywords)
    if failed or accepted:
        return await asyncio.to_thread(_failures, settings, accepted=accepted)
    return await asyncio.to_thread(_status, settings)


def _status(settings: Settings) -> StatusResult:
    with Reader(settings.manifest) as reader:
        stale = settings.run.stale_after_seconds
        return status_result(status_document(reader, stale, now=time.time()))


def _failures(settings: Settings, *, accepted: bool) -> list[FailedFile]:
    with Reader(settings.manifest) as reader:
        return [FailedFile(*row) for row in reader.reports.failures(accepted=accepted)]


async def search(
    text: str = "",
    *,
    like: StrPath | None = None,
    duplicates: bool = False,
    limit: int | None = None,
    path: str | None = None,
    after: Moment | None = None,
    before: Moment | None = None,
    camera: str | None = None,
    near: str | tuple[float, float, float] | None = None,
    album: str | None = None,
    explain: bool = False,
    **options: Unpack[SearchKeywords],
) -> list[FoundPicture]:
    """Find pictures; see `bulkup.search`."""
    request = SearchRequest(
        text=text,
        like=None if like is None else os.fspath(like),
        duplicates=duplicates,
        limit=limit,
        path=path,
        after=as_written(after),
        before=as_written(before),
        camera=camera,
        near=",".join(map(str, near)) if isinstance(near, tuple) else near,
        album=album,
        explain=explain,
    )
    request.check()
    return await asyncio.to_thread(_found, request, settings_of(options, SearchKeywords))


def _found(request: SearchRequest, settings: Settings) -> list[FoundPicture]:
    with Reader(settings.manifest) as reader:
        result = answer(request, reader, settings.run, clock=SystemClock(), random=Random())
        for note in result.notes:
            LOG.info("%s", note)
        placed = reader.searchable.placed(hit.picture.content_id for hit in result.hits)
        return list(found_pictures(result.hits, placed))


async def verify(
    paths: Paths = (),
    *,
    to: StrPath | None = None,
    deep: bool = False,
    sample: str | int | None = None,
    seed: int | None = None,
    **options: Unpack[VerifyKeywords],
) -> list[VerifyFinding]:
    """Compare the manifest with the destinations; see `bulkup.verify`."""
    checks.only_one(deep=deep, sample=sample is not None)
    check_descriptors()
    settings = settings_of(options, VerifyKeywords, to=to)
    request = VerifyRequest(
        to=None if to is None else settings.upload.to,
        roots=list(map(absolute, listed(paths))),
        depth=depth_of(deep=deep, sample=None if sample is None else str(sample), seed=seed),
    )
    findings = Findings()
    await verify_destinations(request, settings, findings)
    if findings.error is not None:
        raise findings.error
    return findings.found_so_far
