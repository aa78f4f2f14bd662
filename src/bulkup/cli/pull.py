"""bulkup pull: brings files back from their destinations."""

from __future__ import annotations

import os
import sys
from functools import partial
from random import Random
from typing import Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.run_options import RUN, S3
from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

EXAMPLE = """Each unique file is read once; its SHA-256 is compared before it gets its name.
Duplicates become hard links where their times are the same, else copies. Nothing is overwritten: a
file whose name is taken becomes name~<8 hex>.ext. A second pull of the same files makes no request.
A member of an archive becomes a file named archive.zip#member.

Example: bulkup pull '*.heic' --into ./photos"""
SETTINGS = (*RUN, *S3)
RESTORE_DAYS = 7


def run(
    flags: Flags,
    globs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[GLOB…]", help="Only files whose path ends like one of these shell patterns."
        ),
    ] = None,
    into: Annotated[str, typer.Option(metavar="DIR", help="Where to put the files.")] = "",
    root: Annotated[
        list[str] | None,
        typer.Option(metavar="ROOT", help="Only files of this pushed directory; repeatable."),
    ] = None,
    album: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only files in this album.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Only the closest matches of a search: --limit or 20."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DEST",
            help="Only from this destination.",
            autocompletion=complete_destination,
        ),
    ] = None,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Also files that were deleted locally.")
    ] = False,
    duplicates: Annotated[
        str, typer.Option(metavar="link|copy", help="Make hard links of duplicates, or copies.")
    ] = "link",
    restore: Annotated[
        bool, typer.Option("--restore", help="Ask for objects in cold storage; pull again later.")
    ] = False,
    restore_days: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="How long restored objects can be read (7 days)."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Print what would be done; no request, no write."),
    ] = False,
) -> None:
    """Bring files back under their own names, with their times."""
    from bulkup.cli.output.pull_summary import pull_summary_line, pull_summary_lines
    from bulkup.cli.run_command import run_to_end
    from bulkup.clock import SystemClock
    from bulkup.manifest.reader import Reader
    from bulkup.operations.pull import PullRequest, PullRun, no_manifest

    if not into:
        raise UsageError("pull needs a folder", hint="Name one: bulkup pull --into ./photos")
    if duplicates not in ("link", "copy"):
        raise UsageError(f"--duplicates is link or copy, not {duplicates!r}")
    if restore_days is not None and not restore:
        raise UsageError("--restore-days says how long, and --restore is missing")
    settings, source = flags.settings_at(source)
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            raise no_manifest(settings.manifest)
        digests = None
        if search is not None:
            from bulkup.operations.pictures.search_request import matching_digests

            digests = matching_digests(reader, search, settings.run, SystemClock(), Random())
    request = PullRequest(
        into=os.path.abspath(into),
        patterns=tuple(globs or ()),
        roots=tuple(root or ()),
        digests=digests,
        album=album,
        source=source,
        deleted=deleted,
        links=duplicates == "link",
        restore_days=(restore_days or RESTORE_DAYS) if restore else None,
        dry_run=dry_run,
    )
    summaries = (pull_summary_lines, pull_summary_line)
    sys.exit(run_to_end(partial(PullRun, request, settings.run), settings, summaries=summaries))
