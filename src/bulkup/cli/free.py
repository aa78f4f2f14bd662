"""bulkup free: says which local files may be erased, and erases them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.shared_options import Flags
from bulkup.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from bulkup.operations.free import FreeableFile
    from bulkup.settings.table import Settings

EXAMPLE = """A file may be erased when it is unchanged since it was pushed and every byte of it is
at the destination, proved by a HEAD (size and SHA-256) or, with --deep, by reading the object.
Each other file is listed with the reason. --yes erases what may be erased and nothing else; bulkup
pull brings it back. Exits 3 if a file must stay.

Example: bulkup free ./photos/2019 --deep"""
SETTINGS = ("s3.endpoint_url",)


def run(
    flags: Flags,
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH…", help="Directories or files that were pushed.")
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="DEST",
            help="The destination that must hold them.",
            autocompletion=complete_destination,
        ),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read every object.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase the files that may be erased.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Show which local files may be erased, with proof; erase them."""
    from bulkup.manifest.reader import Reader
    from bulkup.run.descriptors import ensure_descriptors

    ensure_descriptors()
    settings, to = flags.settings_at(to)
    with Reader(settings.manifest) as reader:
        if not reader.exists:
            raise UsageError("nothing was ever pushed from here")
    found = _find(settings, [os.path.abspath(path) for path in paths], to, deep=deep, erase=yes)
    if json:
        _print_json(found)
    elif not settings.quiet:
        _print(found, erased=yes)
    if any(one.why is not None for one in found):
        raise typer.Exit(ExitCode.UNFINISHED)


def _find(
    settings: Settings, paths: list[str], to: str | None, *, deep: bool, erase: bool
) -> list[FreeableFile]:
    import asyncio
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.checks.session import ReadSession
    from bulkup.operations.destination.chosen import chosen_destinations
    from bulkup.operations.free import find_freeable

    with Manifest(settings.manifest) as manifest:
        known = [root.path for root in manifest.pull_queries.roots()]
        roots = [root for root in known if any(_is_related(root, path) for path in paths)]
        if not roots:
            raise UsageError(f"{paths[0]} was never pushed", hint="bulkup push it first.")
        chosen = chosen_destinations(
            manifest.destinations, to=to, endpoint_url=settings.run.endpoint_url, roots=roots
        )
        if len(chosen) > 1:
            raise UsageError(
                "these files went to several destinations", hint="Name one of them with --to."
            )
        session = ReadSession(manifest, settings.run, os.environ, SystemClock(), Random())
        return asyncio.run(find_freeable(session, chosen[0], paths, deep=deep, erase=erase))


def _is_related(root: str, path: str) -> bool:
    """Whether one of the two is above the other."""
    one, other = f"{root.rstrip('/')}/", f"{path.rstrip('/')}/"
    return one.startswith(other) or other.startswith(one)


def _print_json(found: list[FreeableFile]) -> None:
    from bulkup.cli.output.rows import print_json

    print_json(
        {
            "path": one.path,
            "size_bytes": one.size_bytes,
            "erasable": one.why is None,
            "erased": one.is_erased,
            "why": one.why,
            "destination": one.destination,
        }
        for one in found
    )


def _print(found: list[FreeableFile], *, erased: bool) -> None:
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import count, print_lines, size

    kept = [one for one in found if one.why is not None]
    rows = [(one.path, size(one.size_bytes), one.why or "") for one in kept]
    if rows:
        print_table(
            [Column("Keep", cut=True), Column("Size", right=True), Column("Why", cut=True)],
            rows,
            sys.stdout,
            os.environ,
        )
    free = [one for one in found if one.why is None]
    total = size(sum(one.size_bytes for one in free))
    verb = "erased" if erased else "may be erased"
    lines = [f"{count(len(free), 'file')} ({total}) {verb}, {count(len(kept))} must stay"]
    if free and not erased:
        lines.append("Next: bulkup free … --yes erases them")
    print_lines(lines, sys.stdout)
