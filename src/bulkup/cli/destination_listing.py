"""The objects of destinations, for `ls` and `du`."""

from __future__ import annotations

import os
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

    Raises UsageError, DestinationError and ManifestError.
    """
    import asyncio

    from bulkup.manifest.reader import Reader
    from bulkup.operations.destination.listing import list_objects

    settings, to = flags.settings_at(to)

    async def list_all(reader: Reader) -> None:
        for url, known in _chosen(reader, to, settings.run.endpoint_url):
            objects = list_objects(reader, url, known, settings.run, os.environ, glob=glob)
            async for one in objects:
                do(one)

    with Reader(settings.manifest) as reader:
        asyncio.run(list_all(reader))


def _chosen(
    reader: Reader, to: str | None, endpoint_url: str | None
) -> list[tuple[str, Destination | None]]:
    """The URL of each destination, and its row where the manifest has one."""
    from bulkup.errors import UsageError
    from bulkup.operations.verify import destinations_of
    from bulkup.stores.urls import canonical

    try:
        chosen = destinations_of(reader.destinations, to=to, endpoint_url=endpoint_url, roots=())
    except UsageError:
        if to is None:
            raise
        return [(canonical(to), None)]
    if not chosen:
        raise UsageError("the manifest knows no destination", hint="Name one with --to.")
    return [(one.url, one) for one in chosen]
