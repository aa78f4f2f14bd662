"""bulkup du: how much a destination holds, by folder."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.destination_listing import KeyGlob, ListedDestination, for_each_object
from bulkup.cli.run_options import S3
from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.operations.destination.listing import FolderUse, ListedObject

EXAMPLE = """The destination itself is asked. Everything below .bulkup/ is bulkup's own: variants,
copies of the manifest.

Example: bulkup du --to s3://bucket/photos --depth 2"""
SETTINGS = S3


def run(
    flags: Flags,
    glob: KeyGlob = None,
    to: ListedDestination = None,
    depth: Annotated[int, typer.Option(metavar="N", min=0, help="Levels of folders.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """Show how many objects and bytes a destination holds, by folder."""
    from bulkup.cli.output.rows import print_json
    from bulkup.operations.destination.listing import FolderUse, folder_of
    from bulkup.stores.urls import prefix_of

    found: dict[tuple[str, str], FolderUse] = {}
    prefix = cache(prefix_of)

    def add(one: ListedObject) -> None:
        folder = folder_of(one.key, prefix(one.destination), depth)
        found.setdefault((one.destination, folder), FolderUse()).add(one)

    for_each_object(flags, to, glob, add)
    if json:
        print_json(
            {
                "destination": url,
                "folder": folder,
                "objects": use.objects,
                "bytes": use.size_bytes,
                "by_kind": use.by_kind,
            }
            for (url, folder), use in sorted(found.items())
        )
    else:
        _print(found)


def _print(found: dict[tuple[str, str], FolderUse]) -> None:
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import count, size

    rows = [
        (f"{url}/{folder}".rstrip("/"), count(use.objects), size(use.size_bytes))
        for (url, folder), use in sorted(found.items())
    ]
    for url in sorted({url for url, _ in found}):
        uses = [use for (at, _), use in found.items() if at == url]
        objects, size_bytes = sum(u.objects for u in uses), sum(u.size_bytes for u in uses)
        rows.append((f"{url} in total", count(objects), size(size_bytes)))
    columns = [
        Column("Folder", cut=True),
        Column("Objects", right=True),
        Column("Size", right=True),
    ]
    print_table(columns, rows, sys.stdout, os.environ)
