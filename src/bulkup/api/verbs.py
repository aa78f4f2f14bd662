"""The verbs as plain functions, which return when the work is done.

Each waits for the function of the same name in `aio`: outside an event loop in a loop of its own,
inside one, as in a notebook, in a thread of its own. Each raises BulkupError: UsageError and
SettingsError for a wrong call, DestinationError where a destination refused requests or could not
be reached, ManifestError for a manifest that cannot be used. Files that failed raise nothing: they
are counted in the summary, and `status(failed=True)` lists them.

`on_event` gets each event as it happens. `on_progress` gets the progress twice a second. Both are
called in the thread that works, and must be quick.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Unpack, overload

from bulkup.api import aio, checks
from bulkup.api.listener import OnEvent, OnProgress
from bulkup.api.loops import wait_for
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
)
from bulkup.api.results import FailedFile, StatusResult, VerifyFinding
from bulkup.errors import ErrorClass
from bulkup.events import Summary
from bulkup.operations.pictures.search_request import FoundPicture
from bulkup.run.pull.events import PullSummary


def push(
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
    return wait_for(
        aio.push(paths, dry_run=dry_run, on_event=on_event, on_progress=on_progress, **options)
    )


def resume(
    *,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[WorkKeywords],
) -> Summary:
    """Continue every push that was interrupted."""
    return wait_for(aio.resume(on_event=on_event, on_progress=on_progress, **options))


def retry(
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
    return wait_for(
        aio.retry(
            failed=failed,
            stage=stage,
            error=error,
            path=path,
            item=item,
            dry_run=dry_run,
            on_event=on_event,
            on_progress=on_progress,
            **options,
        )
    )


def process(
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[ProcessKeywords],
) -> Summary:
    """Make thumbnails and read metadata of what is uploaded and not processed; `force`: of all."""
    return wait_for(
        aio.process(
            force=force, dry_run=dry_run, on_event=on_event, on_progress=on_progress, **options
        )
    )


def embed(
    *,
    force: bool = False,
    dry_run: bool = False,
    on_event: OnEvent | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[EmbedKeywords],
) -> Summary:
    """Make processed pictures searchable that this model has not embedded; `force`: all."""
    return wait_for(
        aio.embed(
            force=force, dry_run=dry_run, on_event=on_event, on_progress=on_progress, **options
        )
    )


def pull(
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
    return wait_for(
        aio.pull(
            globs,
            into=into,
            root=root,
            album=album,
            search=search,
            from_=from_,
            deleted=deleted,
            duplicates=duplicates,
            restore=restore,
            restore_days=restore_days,
            dry_run=dry_run,
            on_event=on_event,
            on_progress=on_progress,
            **options,
        )
    )


@overload
def status(*, accepted: Literal[True], **options: Unpack[ManifestKeywords]) -> list[FailedFile]: ...
@overload
def status(*, failed: Literal[True], **options: Unpack[ManifestKeywords]) -> list[FailedFile]: ...
@overload
def status(
    *,
    failed: Literal[False] = False,
    accepted: Literal[False] = False,
    **options: Unpack[ManifestKeywords],
) -> StatusResult: ...
def status(
    *, failed: bool = False, accepted: bool = False, **options: Unpack[ManifestKeywords]
) -> StatusResult | list[FailedFile]:
    """Counts by stage and state; with `failed`, the files that failed or will be retried; with
    `accepted`, those whose failure `bulkup accept` marked."""
    checks.only_one(failed=failed, accepted=accepted)
    if accepted:
        return wait_for(aio.status(accepted=True, **options))
    if failed:
        return wait_for(aio.status(failed=True, **options))
    return wait_for(aio.status(**options))


def search(
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
    return wait_for(
        aio.search(
            text,
            like=like,
            duplicates=duplicates,
            limit=limit,
            path=path,
            after=after,
            before=before,
            camera=camera,
            near=near,
            album=album,
            explain=explain,
            **options,
        )
    )


def verify(
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
    return wait_for(aio.verify(paths, to=to, deep=deep, sample=sample, seed=seed, **options))
