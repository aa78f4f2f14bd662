"""The verbs as async functions, for the caller's own event loop; `verbs` has them as plain ones.

Each raises BulkupError: UsageError and SettingsError for a wrong call, DestinationError where a
destination refused requests or could not be reached, ManifestError for a manifest that cannot be
used. Files that failed raise nothing: they are counted in the summary, and `status(failed=True)`
lists them.

`on_event` gets each event as it happens. `on_progress` gets the progress twice a second. Both are
called in the thread that works, and must be quick.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from typing import Literal, Unpack, overload

from bulkup.api import checks
from bulkup.api.listener import OnEvent, OnProgress, listen
from bulkup.api.options import (
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
from bulkup.api.queries import digests_found, failures_of, pictures_found, status_of
from bulkup.api.results import FailedFile, StatusResult, VerifyFinding
from bulkup.api.verification import Findings, VerifyRequest, depth_of, verify_destinations
from bulkup.errors import ErrorClass
from bulkup.events import Summary
from bulkup.operations.pictures.search_request import FoundPicture, SearchRequest
from bulkup.operations.pull import PullRequest, PullRun
from bulkup.operations.push import PushRun, plan_of
from bulkup.operations.resume import ResumeRun
from bulkup.operations.retry import FailureFilter, RetryRun
from bulkup.operations.stages import EmbedRun, ProcessRun
from bulkup.run.descriptors import check_descriptors
from bulkup.run.pull.events import PullSummary


async def push(
    paths: Paths,
    *,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[PushKeywords],
) -> Summary:
    """Upload files, make thumbnails, and make pictures searchable.

    `paths` is a directory, a file or a ZIP archive, or several. `options` are those of
    `bulkup push`: `to="s3://bucket/photos"`, `exclude=["drafts/"]`, `max_duration="10m"`. With
    `dry_run` nothing is requested or written, and `on_event` gets the plan (FilesPlanned).
    """
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
    """Continue every push that was interrupted."""
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
    """Try failed files again now, with ten more attempts each.

    `stage`, `error` (an error class), `path` (a folder or a shell pattern) and `item` (ids in the
    view `failures`) choose among them. `failed` is the command line's flag. With `dry_run` nothing
    is changed, and `on_event` gets the files (FilesPlanned, with their last error as reason).
    """
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
    """Make thumbnails and read metadata of what is uploaded and not processed; `force`: of all."""
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
    """Make processed pictures searchable that this model has not embedded; `force`: all."""
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
    """Bring files back into the folder `into`, each under its own name, with its time.

    `globs`, `root`, `album` and `search` choose among them; `from_` is the command line's `--from`.
    Nothing is overwritten: a file whose name is taken becomes `name~<8 hex>.ext`.
    """
    checks.pull(duplicates, restore_days)
    settings = settings_of(options, PullKeywords, to=from_)
    digests = await asyncio.to_thread(digests_found, search, settings)
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
    """Counts by stage and state; with `failed`, the files that failed or will be retried; with
    `accepted`, those whose failure `bulkup accept` marked."""
    checks.only_one(failed=failed, accepted=accepted)
    settings = settings_of(options, ManifestKeywords)
    if failed or accepted:
        return await asyncio.to_thread(failures_of, settings, accepted=accepted)
    return await asyncio.to_thread(status_of, settings)


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
    """Find pictures by words or by example, closest matches first, or near-duplicates by group.

    One of `text`, `like` (a picture file, or a path in the manifest) and `duplicates` is given.
    `limit` is 20 by default; of near-duplicates it counts groups, and all is the default. `near` is
    latitude, longitude and kilometres. Notes, such as that all hits are weak, are logged as INFO.
    """
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
    return await asyncio.to_thread(pictures_found, request, settings_of(options, SearchKeywords))


async def verify(
    paths: Paths = (),
    *,
    to: StrPath | None = None,
    deep: bool = False,
    sample: str | int | None = None,
    seed: int | None = None,
    **options: Unpack[VerifyKeywords],
) -> list[VerifyFinding]:
    """Compare the manifest with the destinations; what is missing, different or unknown.

    `deep` reads every object, `sample` some (`100` or `"5%"`). What is missing or different is
    marked failed in the manifest, and `retry` uploads it again. Raises the DestinationError of the
    first destination that cannot be read, after the others have been compared.
    """
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
