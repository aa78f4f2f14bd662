"""bulkup clean: old batches, abandoned uploads, variants and vectors that nobody needs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.shared_options import Flags
from bulkup.errors import BulkupError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkup.manifest.destinations import Destination
    from bulkup.manifest.garbage import RemovalReason
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.operations.clean import Garbage
    from bulkup.settings.table import Settings


_FATES: dict[RemovalReason, str] = {
    "unowned": "that no content owns",
    "unrecorded": "that the manifest does not record",
    "retired": "of names that are no setting any more",
}

EXAMPLE = """A multipart upload goes when its content is not to be sent any more; one that this
manifest does not know goes when it is older than a day. Variants go when they are older than a day
and no content there owns them, no row records them, or their name is no setting any more; and none
goes while others keep objects there, too. Vectors go when a newer embedder has made others of the
same pictures. No object that holds a file is ever removed. A destination that refused every push so
far, a mistyped one, is forgotten; its roots go where they went before.

Example: bulkup clean --older-than 90d --yes"""


@dataclass(frozen=True, slots=True)
class _InManifest:
    """How much of the manifest can go."""

    batches: int = 0
    vectors: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is to remove at one destination, or why nobody knows."""

    url: str
    rubbish: Garbage | None = None
    error: BulkupError | None = None
    unreached_items: int | None = None  # of a destination that nothing ever came to


def run(
    flags: Flags,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; else it is only shown.")] = False,
    older_than: Annotated[
        str, typer.Option(metavar="WHEN", help="Batches that ended before: 30d or 2026-01-31.")
    ] = "30d",
    json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Show what nobody needs any more; remove it with --yes."""
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.settings.durations import moment_option, timestamp

    settings = flags.settings()
    before = timestamp(moment_option(older_than, option="--older-than"), now=time.time())
    own, found = _InManifest(), list[_Found]()
    with Reader(settings.manifest) as reader:
        exists = reader.exists
        if exists and not yes:
            own, found = _clean(reader, settings, before)
    if exists and yes:
        with Manifest(settings.manifest) as manifest:
            own, found = _clean(manifest, settings, before)
    if json:
        _print_json(own, found, removed=yes)
    elif not settings.quiet:
        _print(own, found, removed=yes)
    for one in found:
        if one.error is not None:
            _print_error(one.url, one.error)
    if any(one.error is not None for one in found):
        raise typer.Exit(ExitCode.DESTINATION)


def _clean(
    books: Manifest | Reader, settings: Settings, before: float
) -> tuple[_InManifest, list[_Found]]:
    """Look everywhere; remove what is found if the manifest may be written."""
    import asyncio

    from bulkup.manifest.manifest import Manifest

    only_count = not isinstance(books, Manifest)
    left = books.garbage
    own = _InManifest(
        books.batches.forget_old(ended_before=before, only_count=only_count),
        left.old_vectors() if only_count else left.forget_old_vectors(),
    )
    found = [
        _Found(unreached.url, unreached_items=unreached.items)
        for unreached in books.garbage.unreached_destinations()
        if only_count or books.garbage.forget_destination(unreached.id)
    ]
    dropped = {
        one.id for one in books.garbage.unreached_destinations()
    }  # of which nothing else can be said
    for destination in books.destinations.all():
        if destination.id in dropped:
            continue
        try:
            rubbish = asyncio.run(_sweep(books, destination, settings))
            found.append(_Found(destination.url, rubbish))
        except BulkupError as error:
            if error.exit_code == ExitCode.MANIFEST:
                raise
            found.append(_Found(destination.url, error=error))
    return own, found


async def _sweep(books: Manifest | Reader, destination: Destination, settings: Settings) -> Garbage:
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.clean import find, remove
    from bulkup.run.open_destination import open_known

    store = open_known(destination.url, destination, settings.run, os.environ)
    names = [name for name, *_ in settings.run.process.variants]
    try:
        rubbish = await find(books, destination, store, names=names, now=time.time())
        if isinstance(books, Manifest):
            await remove(books, destination, store, rubbish, names=names)
    finally:
        await store.close()
    return rubbish


def _print_json(own: _InManifest, found: list[_Found], *, removed: bool) -> None:
    from dataclasses import asdict
    from json import dumps

    destinations = [
        {
            "url": one.url,
            **(asdict(one.rubbish) if one.rubbish is not None else {}),
            "unreached_items": one.unreached_items,
            "error": None if one.error is None else str(one.error),
        }
        for one in found
    ]
    typer.echo(dumps({"removed": removed, **asdict(own), "destinations": destinations}))


def _print(own: _InManifest, found: list[_Found], *, removed: bool) -> None:
    from bulkup.cli.output.text import count, escape, printable

    verb = "removed" if removed else "to remove"
    lines = []
    if own.batches:
        noun = "old batch" if own.batches == 1 else "old batches"
        lines.append(f"{verb}: {count(own.batches)} {noun} of the history")
    if own.vectors:
        lines.append(f"{verb}: {count(own.vectors, 'vector')} that a newer embedder replaced")
    for one in found:
        if one.unreached_items is not None:
            contents = count(one.unreached_items, "content")
            lines.append(f"{verb}: pushes to {one.url}, which was never reached ({contents})")
        if one.rubbish is not None:
            lines += [f"{verb}: {line}" for line in _lines_of(one.url, one.rubbish)]
    if lines and not removed:
        lines.append("Next: bulkup clean --yes removes this")
    lines = lines or ["Nothing to clean."]
    for one in found:
        if one.rubbish is not None and one.rubbish.shared_by is not None:
            lines.append(
                f"left: {one.url}: variants that may be others', who keep "
                f"{one.rubbish.shared_by} there"
            )
    sys.stdout.writelines(f"{printable(escape(line), sys.stdout)}\n" for line in lines)


def _lines_of(url: str, rubbish: Garbage) -> Iterator[str]:
    from bulkup.cli.output.text import count, size

    for upload in rubbish.uploads:
        began = time.strftime("%Y-%m-%d", time.gmtime(upload.begun_at))
        yield f"{url}: upload of {upload.key}, begun {began}"
    for path, size_bytes in rubbish.files:
        yield f"{path} ({size(size_bytes)})"
    if rubbish.reservations:
        yield f"{url}: {count(len(rubbish.reservations), 'reserved key')} that nothing will fill"
    for why, words in _FATES.items():
        sizes = [variant.size_bytes for variant in rubbish.variants if variant.why == why]
        if sizes:
            yield f"{url}: {count(len(sizes), 'variant')} {words} ({size(sum(sizes))})"


def _print_error(url: str, error: BulkupError) -> None:
    from bulkup.cli.output.text import escape

    typer.echo(f"bulkup: {escape(url)}: {escape(str(error))}", err=True)
    if error.hint:
        typer.echo(f"  {escape(error.hint)}", err=True)
