"""bulkup restore: brings a lost manifest back from the destination."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.completion import complete_destination
from bulkup.cli.run_options import S3
from bulkup.cli.shared_options import Flags, only_one

if TYPE_CHECKING:
    from bulkup.operations.restore import FoundCopy, Restored
    from bulkup.settings.table import Settings

EXAMPLE = """After a push, a copy of the manifest goes to the destination (manifest.backup). This
command brings the newest one of this host back, or of --host. An existing manifest is never
replaced. Then bulkup pull --into DIR brings the files back.

Example: bulkup restore --from s3://bucket/photos"""
SETTINGS = S3


def run(
    flags: Flags,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="DEST",
            help="The destination with the copies.",
            autocompletion=complete_destination,
        ),
    ],
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only copies of this host.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="An older copy, as --list shows it.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Only list the copies.")] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Bring a lost manifest back from its copy at a destination."""
    import asyncio

    from bulkup.cli.output.rows import print_json

    only_one(key=key, host=host)
    only_one(list=show, key=key)
    settings, url = flags.settings_at(source)
    assert url is not None
    found, restored = asyncio.run(_restore(settings, url, host, key, only_list=show))
    if restored is None:
        if json:
            print_json(_row(one) for one in found)
        else:
            _print_table(found)
    elif json:
        print_json([{**_row(restored.copy), "files": restored.files, "roots": restored.roots}])
    elif not settings.quiet:
        _print(settings, restored)


async def _restore(
    settings: Settings, source: str, host: str | None, key: str | None, *, only_list: bool
) -> tuple[list[FoundCopy], Restored | None]:
    from random import Random

    from bulkup.clock import SystemClock
    from bulkup.errors import UsageError
    from bulkup.operations.restore import CopyReader, choose_copy, require_absent

    if not only_list:
        require_absent(settings.manifest)
    reader = CopyReader(source, settings.run, os.environ, SystemClock(), Random())
    try:
        found = await reader.copies()
        if only_list:
            return [one for one in found if host in (None, one.host)], None
        if key is None:
            chosen = choose_copy(found, reader.url, host)
        else:
            named = [one for one in found if one.key == key]
            if not named:
                raise UsageError(f"{reader.url} holds no copy {key}", hint="See --list.")
            chosen = named[0]
        return found, await reader.restore(chosen, settings.manifest)
    finally:
        await reader.close()


def _row(copy: FoundCopy) -> dict[str, object]:
    made_at = copy.made_at.isoformat().replace("+00:00", "Z")
    return {
        "key": copy.key,
        "host": copy.host,
        "made_at": made_at,
        "size_bytes": copy.size_bytes,
    }


def _print_table(found: list[FoundCopy]) -> None:
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import size

    columns = [
        Column("Made at"),
        Column("Host"),
        Column("Size", right=True),
        Column("Key", cut=True),
    ]
    rows = [
        (f"{one.made_at:%Y-%m-%d %H:%M:%SZ}", one.host, size(one.size_bytes), one.key)
        for one in found
    ]
    print_table(columns, rows, sys.stdout, os.environ)


def _print(settings: Settings, restored: Restored) -> None:
    from bulkup.cli.output.text import count, escape, print_lines

    copy = restored.copy
    lines = [
        f"Restored {settings.manifest}: {count(restored.files, 'file')}, "
        f"{count(restored.unique, 'unique file')}, as of {copy.made_at:%Y-%m-%d %H:%M:%SZ} "
        f"on {copy.host}",
        *(f"  {root}" for root in restored.roots),
        "Next: bulkup pull --into DIR   bring the files back",
    ]
    print_lines(map(escape, lines), sys.stdout)
