"""bulkup rebuild: recovers a lost manifest from a destination."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.run_options import RUN, S3
from bulkup.cli.shared_options import Flags
from bulkup.errors import ExitCode

if TYPE_CHECKING:
    from bulkup.operations.rebuild import Rebuilt
    from bulkup.settings.table import Settings

EXAMPLE = """Rebuild only adds to the manifest. The next push of the same tree uploads nothing; with
--root it does not even read files whose size and modification time have not changed (layout path).

With --engine, objects that nobody pushed with bulkup are adopted: they are files of a root called
like the destination, and are read once, for their digest, thumbnails, metadata and search.
bulkup process continues with what is left. --workers, --limit, --max-duration, --max-errors,
--patience, --stats and --metrics-file are about this work, and do nothing without --engine.

Example: bulkup rebuild --from s3://bucket/photos --root ./photos
Example: bulkup rebuild --from s3://bucket/archive --engine dask://scheduler:8786"""
SETTINGS = (*S3, "process.workers", "cluster.engine", *RUN)


SourceOption = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="DEST",
        help="s3://bucket/prefix or a directory.",
        autocompletion=complete_destination,
    ),
]


def run(
    flags: Flags,
    source: SourceOption,
    root: Annotated[
        str | None, typer.Option(metavar="DIR", help="The directory that was pushed there.")
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read objects without a digest.")] = False,
) -> None:
    """Recover a lost manifest from the objects of a destination.

    Their keys and metadata say what they are.
    """
    import asyncio
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.checks.session import ReadSession
    from bulkup.operations.rebuild import rebuild
    from bulkup.run.descriptors import ensure_descriptors

    ensure_descriptors()
    settings, url = flags.settings_at(source)
    adopts = flags.has("engine")
    assert url is not None
    with Manifest(settings.manifest) as manifest:
        session = ReadSession(manifest, settings.run, os.environ, SystemClock(), Random())
        root_path = None if root is None else os.path.abspath(root)
        rebuilt = asyncio.run(rebuild(session, url, root=root_path, deep=deep, adopts=adopts))
    _print(rebuilt, source, root, json=settings.json, quiet=settings.quiet)
    code = ExitCode.UNFINISHED if rebuilt.failed else ExitCode.DONE
    if adopts:
        code = ExitCode(_process(settings)) or code
    if code:
        raise typer.Exit(code)


def _process(settings: Settings) -> int:
    """Process what was adopted; the exit code."""
    from functools import partial

    from bulkup.cli.run_command import run_to_end
    from bulkup.operations.stages import AdoptionRun

    return run_to_end(partial(AdoptionRun, settings.run), settings)


def _print(rebuilt: Rebuilt, source: str, root: str | None, *, json: bool, quiet: bool) -> None:
    from bulkup.cli.output.text import count, escape, print_lines, size

    if json:
        from dataclasses import asdict
        from json import dumps

        print(dumps(asdict(rebuilt)))
        return
    parts = [f"{count(rebuilt.recorded)} recorded"]
    if rebuilt.known:
        parts.append(f"{count(rebuilt.known)} known already")
    if rebuilt.unknown:
        parts.append(f"{count(rebuilt.unknown)} without a digest")
    if rebuilt.failed:
        parts.append(f"{count(rebuilt.failed)} failed ({rebuilt.first_error})")
    if rebuilt.bytes_read:
        parts.append(f"{size(rebuilt.bytes_read)} read")
    lines = [f"{source}: {count(rebuilt.objects, 'object')}: {', '.join(parts)}"]
    if root is not None:
        lines.append(f"{count(rebuilt.files, 'file')} under {root} as they were pushed")
    if rebuilt.adopted:
        lines.append(f"{count(rebuilt.adopted, 'file')} adopted")
    elif rebuilt.unknown:
        lines.append("Next: the same command with --deep reads those without a digest")
    elif root is None and rebuilt.recorded:
        lines.append("Objects do not tell the names of duplicates, and of what failed")
        lines.append("Next: bulkup pull --into DIR   bring each content back")
    if not quiet:
        print_lines(map(escape, lines), sys.stdout)
