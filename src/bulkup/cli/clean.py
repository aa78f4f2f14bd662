"""bulkup clean: removes old batches, abandoned uploads, and unneeded variants and vectors."""

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


_REASONS: dict[RemovalReason, str] = {
    "unowned": "of no known file",
    "unrecorded": "not recorded in the manifest",
    "retired": "no longer in the settings",
}

EXAMPLE = """Removed are: multipart uploads whose file will not be uploaded any more, and unknown
ones older than a day; variants older than a day that belong to no known file, are not recorded, or
are no longer in the settings (none while others keep objects there too); copies of manifests
beyond the newest five of their host; vectors that a newer embedder has replaced; batches of the
history. Objects that hold a file are never removed.

Example: bulkup clean --older-than 90d --yes"""


@dataclass(frozen=True, slots=True)
class _InManifest:
    """How many rows of the manifest can be removed."""

    batches: int = 0
    vectors: int = 0


@dataclass(frozen=True, slots=True)
class _DestinationGarbage:
    """What can be removed at one destination, or the error."""

    url: str
    garbage: Garbage | None = None
    error: BulkupError | None = None


def run(
    flags: Flags,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove it; without this, only show it.")
    ] = False,
    older_than: Annotated[
        str, typer.Option(metavar="WHEN", help="Batches that ended before this date or age.")
    ] = "30d",
    json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Show what can be deleted; delete it with --yes."""
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.run.descriptors import ensure_descriptors
    from bulkup.settings.units import moment_option, timestamp

    ensure_descriptors()
    settings = flags.settings()
    before = timestamp(moment_option(older_than, option="--older-than"), now=time.time())
    own, found = _InManifest(), list[_DestinationGarbage]()
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
) -> tuple[_InManifest, list[_DestinationGarbage]]:
    """Search all destinations; remove what is found if `books` is a Manifest."""
    import asyncio

    from bulkup.manifest.manifest import Manifest

    only_count = not isinstance(books, Manifest)
    left = books.garbage
    own = _InManifest(
        books.batches.count_old(ended_before=before)
        if only_count
        else books.batches.forget_old(ended_before=before),
        left.old_vectors() if only_count else left.forget_old_vectors(),
    )
    found = []
    for destination in books.destinations.all():
        if not destination.is_reached:
            continue
        try:
            garbage = asyncio.run(_sweep(books, destination, settings))
            found.append(_DestinationGarbage(destination.url, garbage))
        except BulkupError as error:
            if error.exit_code == ExitCode.MANIFEST:
                raise
            found.append(_DestinationGarbage(destination.url, error=error))
    return own, found


async def _sweep(books: Manifest | Reader, destination: Destination, settings: Settings) -> Garbage:
    from bulkup.manifest.manifest import Manifest
    from bulkup.operations.clean import find, remove
    from bulkup.run.open_destination import open_known

    store = open_known(destination.url, destination, settings.run, os.environ)
    names = [name for name, *_ in settings.run.process.variants]
    try:
        garbage = await find(books, destination, store, names=names, now=time.time())
        if isinstance(books, Manifest):
            await remove(books, destination, store, garbage, names=names, now=time.time())
    finally:
        await store.close()
    return garbage


def _print_json(own: _InManifest, found: list[_DestinationGarbage], *, removed: bool) -> None:
    from dataclasses import asdict
    from json import dumps

    destinations = [
        {
            "url": one.url,
            **(asdict(one.garbage) if one.garbage is not None else {}),
            "error": None if one.error is None else str(one.error),
        }
        for one in found
    ]
    typer.echo(dumps({"removed": removed, **asdict(own), "destinations": destinations}))


def _print(own: _InManifest, found: list[_DestinationGarbage], *, removed: bool) -> None:
    from bulkup.cli.output.text import count, escape, print_lines

    verb = "removed" if removed else "to remove"
    lines = []
    if own.batches:
        noun = "old batch" if own.batches == 1 else "old batches"
        lines.append(f"{verb}: {count(own.batches)} {noun} of the history")
    if own.vectors:
        lines.append(f"{verb}: {count(own.vectors, 'vector')} replaced by a newer embedder")
    for one in found:
        if one.garbage is not None:
            lines += [f"{verb}: {line}" for line in _lines_of(one.url, one.garbage)]
    if lines and not removed:
        lines.append("Next: bulkup clean --yes removes this")
    lines = lines or ["Nothing to clean."]
    for one in found:
        if one.garbage is not None and one.garbage.shared_by is not None:
            lines.append(
                f"kept: {one.url}: variants that may belong to others, who keep "
                f"{one.garbage.shared_by} there"
            )
    print_lines(map(escape, lines), sys.stdout)


def _lines_of(url: str, garbage: Garbage) -> Iterator[str]:
    from bulkup.cli.output.text import count, size

    for upload in garbage.uploads:
        began = time.strftime("%Y-%m-%d", time.gmtime(upload.begun_at))
        yield f"{url}: multipart upload of {upload.key}, started {began}"
    for path, size_bytes in garbage.files:
        yield f"{path} ({size(size_bytes)})"
    if garbage.copies:
        total = size(sum(size_bytes for _, size_bytes in garbage.copies))
        yield f"{url}: {len(garbage.copies)} old copies of manifests ({total})"
    if garbage.expired:
        yield f"{url}: {count(len(garbage.expired), 'upload')} that no client completed"
    if garbage.reservations:
        yield f"{url}: {count(len(garbage.reservations), 'reserved key')} without an upload"
    for why, words in _REASONS.items():
        sizes = [variant.size_bytes for variant in garbage.variants if variant.why == why]
        if sizes:
            yield f"{url}: {count(len(sizes), 'variant')} {words} ({size(sum(sizes))})"


def _print_error(url: str, error: BulkupError) -> None:
    from bulkup.cli.output.text import print_error

    print_error(f"{url}: {error}", error.hint)
