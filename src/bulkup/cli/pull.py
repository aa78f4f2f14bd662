"""bulkup pull: brings files back from their destinations."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.run_options import RUN, S3
from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.manifest.reader import Reader
    from bulkup.settings.table import Settings

EXAMPLE = """Each unique file is read once; its SHA-256 is compared before it gets its name.
Duplicates become hard links where their times are the same, else copies. Nothing is overwritten: a
file whose name is taken becomes name~<8 hex>.ext. A second pull of the same files makes no request.
A member of an archive becomes a file named archive.zip#member.

Example: bulkup pull '*.heic' --into ./photos"""
SETTINGS = (*RUN, *S3)
SEARCHED = 20
"""Hits of --search, as `search` shows them."""


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
        str | None, typer.Option("--from", metavar="DEST", help="Only from this destination.")
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
        int, typer.Option(metavar="N", min=1, help="How long restored objects can be read.")
    ] = 7,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Print what would be done; no request, no write."),
    ] = False,
) -> None:
    """Bring files back: every file under its own name, with its modification time."""
    from bulkup.cli.output.pull_summary import pull_summary_line, pull_summary_lines
    from bulkup.cli.run_command import run_to_end
    from bulkup.manifest.reader import Reader
    from bulkup.operations.pull import PullRequest, PullRun

    if not into:
        raise UsageError("pull needs a folder", hint="Name one: bulkup pull --into ./photos")
    if duplicates not in ("link", "copy"):
        raise UsageError(f"--duplicates is link or copy, not {duplicates!r}")
    settings, source = flags.settings_at(source)
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            raise UsageError(
                f"there is no manifest {settings.manifest}",
                hint="bulkup restore --from DEST brings a lost one back; "
                "bulkup rebuild --from DEST makes a new one.",
            )
        digests = None if search is None else _matches(reader, settings, search)
    request = PullRequest(
        into=os.path.abspath(into),
        patterns=tuple(globs or ()),
        roots=tuple(root or ()),
        digests=digests,
        album=album,
        source=source,
        deleted=deleted,
        links=duplicates == "link",
        restore_days=restore_days if restore else None,
        dry_run=dry_run,
    )
    summaries = (pull_summary_lines, pull_summary_line)
    sys.exit(run_to_end(partial(PullRun, request, settings.run), settings, summaries=summaries))


def _matches(reader: Reader, settings: Settings, text: str) -> frozenset[str]:
    """The digests of the pictures that a search finds."""
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.operations.search import SearchSession
    from bulkup.search.filters import Filters

    session = SearchSession(
        reader,
        settings.run.embed,
        settings.run.process,
        Filters(),
        clock=SystemClock(),
        random=Random(),
    )
    hits = session.text(text, settings.run.limit or SEARCHED).hits
    return frozenset(hit.picture.digest for hit in hits)
