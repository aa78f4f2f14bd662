"""bulkup search: finds pictures by words or by example, and near-duplicates."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.shared_options import Flags, only_one
from bulkup.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from bulkup.manifest.reader import Reader
    from bulkup.manifest.reports.search import Placed
    from bulkup.operations.pictures.search import SearchHit, SearchResult
    from bulkup.settings.table import Settings

EXAMPLE = """\b
Example: bulkup search sailing boat --after 2019 --limit 50
Example: bulkup search --like holiday.jpg --html hits.html
Example: bulkup search --duplicates --json"""
SETTINGS = ("embed.model",)

_SHEET_MODE = 0o600  # private pictures are private


def run(
    flags: Flags,
    text: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]…", help="What the picture shows, or words of its metadata."),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Find pictures like this file or path in the manifest."),
    ] = None,
    duplicates: Annotated[
        bool,
        typer.Option("--duplicates", help="Find near-duplicates: the same picture, other bytes."),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="The most hits, or groups; default 20."),
    ] = None,
    path: Annotated[
        str | None,
        typer.Option(metavar="GLOB", help="Only this folder, or paths that end like this pattern."),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Taken since this date or age: 2019, 2019-05, 30d."),
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Taken before this date or age.")
    ] = None,
    camera: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Part of the camera's name.")
    ] = None,
    near: Annotated[
        str | None,
        typer.Option(metavar="LAT,LON,KM", help="Taken within KM kilometres of a place."),
    ] = None,
    album: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only files in this album.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say for each hit of a text why it was found.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Also write the hits to FILE as a contact sheet."),
    ] = None,
    print0: Annotated[
        bool, typer.Option("--print0", help="Print only paths, each ended by NUL, for xargs -0.")
    ] = False,
) -> None:
    """Find pictures by words or by example, or near-duplicates.

    Works offline. Words match what a picture shows by meaning, and its path, title, keywords,
    camera and date literally.
    """
    from bulkup.operations.pictures.search_request import SearchRequest, answer

    request = SearchRequest(
        text=" ".join(text or ()),
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
    )
    request.check()
    only_one(json=json, print0=print0)
    if not duplicates:
        # One product of a matrix and a vector: starting threads for it costs 0.1 s of CPU, and
        # saves 10 ms only from 100,000 pictures on. numpy reads this when it is imported.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    settings = flags.settings()
    if html is not None:
        from bulkup.cli.contact_sheet.sheet import is_sheet
        from bulkup.reporting.atomic_file import check_writable

        check_writable(html, named="--html", is_ours=is_sheet)
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.manifest.reader import Reader

    is_whole = True
    with Reader(settings.manifest) as reader:
        result = answer(request, reader, settings.run, clock=SystemClock(), random=Random())
        placed = {}
        if result.hits:
            placed = reader.searchable.placed(hit.picture.content_id for hit in result.hits)
        if not settings.quiet:
            _print_notes(result.notes if result.hits else _why_nothing(result, path, reader))
        if html is not None:
            title = "Near-duplicates" if duplicates else f"Closest matches: {request.text or like}"
            is_whole = _write_sheet(html, title, result, placed, reader, settings)
        _print(result, placed, json=json, print0=print0, is_groups=duplicates)
    if not is_whole:
        raise typer.Exit(ExitCode.UNFINISHED)


def _why_nothing(result: SearchResult, path: str | None, reader: Reader) -> Sequence[str]:
    from bulkup.cli.output.nothing import nothing_matches, nothing_pushed

    if not reader.reports.status().assets:
        return [nothing_pushed(reader)]
    if path is not None and next(reader.reports.files(path), None) is None:
        return [nothing_matches(reader, path)]
    return result.notes


def _print_notes(notes: Sequence[str]) -> None:
    from bulkup.cli.output.text import print_folded

    for note in notes:
        print_folded(f"bulkup: {note}", sys.stderr)


def _print(
    result: SearchResult, placed: dict[int, Placed], *, json: bool, print0: bool, is_groups: bool
) -> None:
    if print0:
        for hit in result.hits:
            sys.stdout.buffer.write(os.fsencode(hit.picture.path) + b"\0")
    elif json:
        from bulkup.cli.output.rows import print_json
        from bulkup.operations.pictures.search_request import found_pictures

        print_json(found.as_json() for found in found_pictures(result.hits, placed))
    elif result.hits:
        _print_table(result.hits, is_groups=is_groups)


def _print_table(hits: Sequence[SearchHit], *, is_groups: bool) -> None:
    from bulkup.cli.output.table import Column, below_one_folder, print_table
    from bulkup.cli.output.text import escape, is_screen, percent, size

    paths = [hit.picture.path for hit in hits]
    if is_screen(sys.stdout, os.environ):
        folder, paths = below_one_folder(paths)
        if folder:
            print(f"In {escape(folder)}:")
    first = [Column("Group", right=True)] if is_groups else []
    columns = [
        *first,
        Column("Score", right=True),
        Column("Taken", drop=1),
        Column("Camera", cut=True, drop=3),
        Column("Pixels", right=True, drop=4),
        Column("Size", right=True, drop=2),
        Column("File", cut=True),
    ]
    rows = [
        [
            *([str(hit.group)] if is_groups else []),
            percent(hit.score, is_weak=hit.is_weak),
            (hit.picture.taken_at or "")[:16].replace("T", " "),
            hit.picture.camera or "",
            f"{hit.picture.width_px}x{hit.picture.height_px}" if hit.picture.width_px else "",
            size(hit.picture.size_bytes),
            path,
        ]
        for hit, path in zip(hits, paths, strict=True)
    ]
    print_table(columns, rows, sys.stdout, os.environ)
    for hit in hits:
        if hit.reasons:
            print(f"\n{escape(hit.picture.path)}")
            print(*(f"  {escape(reason)}" for reason in hit.reasons), sep="\n")


def _write_sheet(
    html: str,
    title: str,
    result: SearchResult,
    placed: dict[int, Placed],
    reader: Reader,
    settings: Settings,
) -> bool:
    """Whether all pictures are on the sheet."""
    import asyncio

    from bulkup.cli.contact_sheet.frames import sections_of
    from bulkup.cli.contact_sheet.sheet import write_sheet
    from bulkup.cli.output.text import count as count_of
    from bulkup.cli.output.text import print_folded
    from bulkup.operations.pictures.thumbnails import WantedThumb, thumbnails_of
    from bulkup.reporting.atomic_file import whole_file

    wanted = [
        WantedThumb(hit.picture.content_id, hit.picture.path, hit.picture.size_bytes)
        for hit in result.hits
    ]
    destinations = {one.id: one for one in reader.destinations.all()} if placed else {}
    thumbs = asyncio.run(thumbnails_of(wanted, placed, destinations, settings, os.environ))
    try:
        with whole_file(html, mode=_SHEET_MODE) as file:
            count = write_sheet(sections_of(result, placed, thumbs.bodies), file, title=title)
    except BrokenPipeError:  # the reader of a FIFO has gone
        raise
    except OSError as error:
        raise UsageError(f"--html {html}: {error.strerror}") from error
    if not settings.quiet:
        print_folded(f"Wrote {count_of(count, 'picture')} to {html}", sys.stderr)
    for where, number in thumbs.missing.items():
        lost = count_of(number, "thumbnail")
        print_folded(f"bulkup: {lost} could not be fetched from {where}", sys.stderr)
    return not thumbs.missing
