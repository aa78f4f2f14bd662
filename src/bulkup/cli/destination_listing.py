"""The objects of destinations, for `ls` and `du`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.manifest.destinations import Destination
    from bulkup.manifest.reader import Reader
    from bulkup.operations.destination.listing import ListedObject

KeyGlob = Annotated[
    str | None,
    typer.Argument(metavar="[KEY-GLOB]", help="Only keys that match, below the prefix."),
]
ListedDestination = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="DEST",
        help="The destination; default: all known ones.",
        autocompletion=complete_destination,
    ),
]


def for_each_object(
    flags: Flags, to: str | None, glob: str | None, do: Callable[[ListedObject], None]
) -> None:
    """Call `do` for each object of the destination, or of all that the manifest knows.

    A destination in the place of the pattern is taken for one, as `ls` of other tools does; if
    there is no object, a line on standard error says so. Raises UsageError, DestinationError and
    ManifestError.
    """
    import asyncio

    from bulkup.cli.output.text import print_folded
    from bulkup.manifest.reader import Reader
    from bulkup.operations.destination.listing import list_objects

    if to is None and glob is not None and _is_destination(flags, glob):
        to, glob = glob, None
    settings, to = flags.settings_at(to)
    chosen: list[tuple[str, Destination | None]] = []

    async def list_all(reader: Reader) -> bool:
        has_objects = False
        chosen.extend(_chosen(reader, to, settings.run.endpoint_url))
        for url, known in chosen:
            objects = list_objects(reader, url, known, settings.run, os.environ, glob=glob)
            async for one in objects:
                has_objects = True
                do(one)
        return has_objects

    with Reader(settings.manifest) as reader:
        has_objects = asyncio.run(list_all(reader))
    if not has_objects:
        where = ", ".join(url for url, _ in chosen)
        print_folded(
            f"bulkup: no object{f' matches {glob}' if glob else ''} in {where}", sys.stderr
        )


def _is_destination(flags: Flags, text: str) -> bool:
    """Whether it is the URL of a destination, or the path of a known one."""
    from bulkup.manifest.reader import Reader

    if "://" in text:
        return True
    path = os.path.abspath(os.path.expanduser(text))
    with Reader(flags.settings().manifest) as reader:
        return path in {known.url for known in reader.destinations.all()}


def _chosen(
    reader: Reader, to: str | None, endpoint_url: str | None
) -> list[tuple[str, Destination | None]]:
    """The URL of each destination, and its row where the manifest has one."""
    from bulkup.errors import UsageError
    from bulkup.operations.destination.chosen import chosen_destinations
    from bulkup.stores.urls import canonical

    try:
        chosen = chosen_destinations(
            reader.destinations, to=to, endpoint_url=endpoint_url, roots=()
        )
    except UsageError:
        if to is None:
            raise
        return [(canonical(to), None)]
    if not chosen:
        raise UsageError("the manifest knows no destination", hint="Name one with --to.")
    return [(one.url, one) for one in chosen]
