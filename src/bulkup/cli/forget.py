"""bulkup forget: removes a destination or a folder from the manifest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from bulkup.cli.shared_options import Flags

if TYPE_CHECKING:
    from bulkup.operations.forget import Forgettable

EXAMPLE = """Only the manifest changes: objects at the destination and local files stay. What was
pushed to a forgotten destination is uploaded or adopted again by the next push there.

Example: bulkup forget s3://fotos/2026 --yes"""
SETTINGS = ("s3.endpoint_url",)


def run(
    flags: Flags,
    name: Annotated[
        str, typer.Argument(metavar="DEST|FOLDER", help="A known destination or pushed folder.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", help="Forget it; without this, only show it.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False,
) -> None:
    """Remove a destination or a folder from the manifest only.

    Objects and files stay.
    """
    from bulkup.manifest.manifest import Manifest
    from bulkup.manifest.reader import Reader
    from bulkup.operations.forget import find_forgettable, forget

    settings = flags.settings()
    with Reader(settings.manifest) as reader:
        endpoint_url = settings.run.endpoint_url
        what = find_forgettable(reader.destinations, name, endpoint_url=endpoint_url)
    if yes:
        with Manifest(settings.manifest) as manifest:
            forget(manifest, what)
    if json:
        _print_json(what, forgotten=yes)
    elif not settings.quiet:
        _print(what, forgotten=yes)


def _print_json(what: Forgettable, *, forgotten: bool) -> None:
    from json import dumps

    kind = "folder" if what.destination is None else "destination"
    typer.echo(dumps({"forgotten": forgotten, kind: what.name, "folders": what.roots}))


def _print(what: Forgettable, *, forgotten: bool) -> None:
    from bulkup.cli.output.text import escape, print_lines

    verb = "forgotten" if forgotten else "to forget"
    lines = [f"{verb}: {what.name}"]
    if what.destination is not None:
        if what.destination.endpoint_url:
            lines[0] += f" at {what.destination.endpoint_url}"
        lines += [f"  destination of {root}" for root in what.roots]
    if not forgotten:
        lines.append("Next: bulkup forget … --yes forgets it; objects and files stay")
    print_lines(map(escape, lines), sys.stdout)
