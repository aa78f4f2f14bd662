"""bulkup push: uploads, processes and embeds files."""

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
    stages: Annotated[
        str | None, typer.Option(help="A list of upload, process, embed; default: all.")
    ] = None,
    include: Annotated[
        Globs,
        typer.Option(metavar="GLOB", help="Upload only these (gitignore syntax); repeatable."),
    ] = None,
    exclude: Annotated[
        Globs, typer.Option(metavar="GLOB", help="Ignore these (gitignore syntax); repeatable.")
    ] = None,
    all_files: Annotated[
        bool | None,
        typer.Option(
            "--all-files", help="Upload all files, not only pictures, videos and sidecars."
        ),
    ] = None,
    hidden: Annotated[
        bool | None, typer.Option("--hidden", help="Also upload names that begin with a dot.")
    ] = None,
    follow_symlinks: Annotated[
        bool | None, typer.Option("--follow-symlinks", help="Follow symbolic links.")
    ] = None,
    min_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Ignore smaller files, for example 10KiB.")
    ] = None,
    max_size: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Ignore larger files, for example 2GiB.")
    ] = None,
    newer_than: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only files modified since this age or date: 30d, 2026-01-31."
        ),
    ] = None,
    older_than: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only files modified before this age or date."),
    ] = None,
    files_from: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Upload only the paths listed there, one per line."),
    ] = None,
    layout: Annotated[
        Literal["path", "content"] | None, typer.Option(help="Name objects by path or by digest.")
    ] = None,
    on_duplicate: Annotated[
        Literal["skip", "copy"] | None,
        typer.Option(help="Only record duplicates, or copy them on the server."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be done; no request, no write.")
    ] = False,
    concurrency: ConcurrencyOption = None,
    max_rate: MaxRateOption = None,
    bwlimit: BwlimitOption = None,
    limit: LimitOption = None,
    max_duration: MaxDurationOption = None,
    max_errors: MaxErrorsOption = None,
    patience: PatienceOption = None,
    workers: WorkersOption = None,
    storage_class: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Storage class of new objects.")
    ] = None,
    cache_control: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Cache-Control header of new objects.")
    ] = None,
    metadata: Annotated[
        Globs, typer.Option(metavar="K=V", help="Metadata of new objects; repeatable.")
    ] = None,
    tag: Annotated[
        Globs, typer.Option(metavar="K=V", help="Tag of new objects; repeatable.")
    ] = None,
    endpoint_url: Annotated[str | None, typer.Option(metavar="URL")] = None,
    region: Annotated[str | None, typer.Option()] = None,
    profile: Annotated[
        str | None, typer.Option(help="A profile of bulkup.toml, else of AWS.")
    ] = None,
    ca_bundle: Annotated[str | None, typer.Option(metavar="FILE")] = None,
    metrics_file: MetricsFileOption = None,
    json: JsonOption = None,
) -> None:
    """Upload folders of pictures; each unique file is uploaded once."""
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
    """The push that the settings describe, with its roots checked. Raises UsageError."""
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
