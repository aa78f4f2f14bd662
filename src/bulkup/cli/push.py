"""bulkup push: walk, hash, deduplicate, upload."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bulkup.cli.run_command import run_to_end
from bulkup.cli.run_options import (
    BwlimitOption,
    ConcurrencyOption,
    JsonOption,
    LimitOption,
    MaxDurationOption,
    MaxErrorsOption,
    MaxRateOption,
    MetricsFileOption,
    PatienceOption,
    WorkersOption,
)
from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.operations.push import Push
    from bulkup.settings.table import Settings

EXAMPLE = "Example: bulkup push ./photos --to s3://bucket/photos --exclude 'drafts/'"

Globs = list[str] | None


def run(
    flags: Flags,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH…", help="Directories, files or ZIP archives.")
    ],
    to: Annotated[
        str | None,
        typer.Option(metavar="DEST", help="s3://bucket/prefix or a directory; remembered."),
    ] = None,
    stages: Annotated[str | None, typer.Option(help="Some of upload, process, embed.")] = None,
    include: Annotated[
        Globs, typer.Option(metavar="GLOB", help="Only these (gitignore syntax); repeatable.")
    ] = None,
    exclude: Annotated[
        Globs, typer.Option(metavar="GLOB", help="Not these (gitignore syntax); repeatable.")
    ] = None,
    all_files: Annotated[
        bool | None, typer.Option("--all-files", help="Not only pictures, videos and sidecars.")
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden", help="Also names that begin with a dot.")
    ] = None,
    follow_symlinks: Annotated[
        bool | None, typer.Option("--follow-symlinks", help="Go through symbolic links.")
    ] = None,
    min_size: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 10KiB.")] = None,
    max_size: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 2GiB.")] = None,
    newer_than: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Modified since: 30d or 2026-01-31.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Modified before: 30d or 2026-01-31.")
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Only the paths listed there.")
    ] = None,
    layout: Annotated[
        Literal["path", "content"] | None, typer.Option(help="Keys from paths or from digests.")
    ] = None,
    on_duplicate: Annotated[
        Literal["skip", "copy"] | None, typer.Option(help="Record it only, or copy on the server.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="No request, no write: say what would be done.")
    ] = False,
    concurrency: ConcurrencyOption = None,
    max_rate: MaxRateOption = None,
    bwlimit: BwlimitOption = None,
    limit: LimitOption = None,
    max_duration: MaxDurationOption = None,
    max_errors: MaxErrorsOption = None,
    patience: PatienceOption = None,
    workers: WorkersOption = None,
    storage_class: Annotated[str | None, typer.Option(metavar="CLASS")] = None,
    cache_control: Annotated[str | None, typer.Option(metavar="TEXT")] = None,
    metadata: Annotated[Globs, typer.Option(metavar="K=V", help="Repeatable.")] = None,
    tag: Annotated[Globs, typer.Option(metavar="K=V", help="Repeatable.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL")] = None,
    region: Annotated[str | None, typer.Option()] = None,
    profile: Annotated[
        str | None, typer.Option(help="Of bulkup.toml if it has it, else of AWS.")
    ] = None,
    ca_bundle: Annotated[str | None, typer.Option(metavar="FILE")] = None,
    metrics_file: MetricsFileOption = None,
    json: JsonOption = None,
) -> None:
    """Take directories of pictures to object storage, never sending the same content twice."""
    options = dict(locals())
    for name in ("flags", "paths", "dry_run"):
        del options[name]
    settings = flags.settings(**options)
    push = plan_of(settings, paths, now=time.time())
    if dry_run:
        from bulkup.cli.dry_run import show_plan

        sys.exit(show_plan(push, settings))
    from bulkup.operations.push import PushRun

    sys.exit(
        run_to_end(partial(PushRun, push), settings, uploads="upload" in settings.upload.stages)
    )


def plan_of(settings: Settings, paths: list[str], *, now: float) -> Push:
    """What the settings ask for, with the roots checked. Raises UsageError."""
    from bulkup.operations.push import Push, check_roots
    from bulkup.walk.filters import Rules

    roots = tuple(dict.fromkeys(os.path.abspath(path) for path in paths))
    check_roots(roots)
    selection = settings.upload.selection(now=now)
    Rules(selection)  # a bad pattern is found before any work
    return Push(
        roots=roots,
        upload=settings.upload,
        run=settings.run,
        selection=selection,
        cwd=os.getcwd(),
    )
