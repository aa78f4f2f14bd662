"""bulkup models: the models that can embed; adds and removes folders of models."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

if TYPE_CHECKING:
    from bulkup.operations.pictures.models import Model
    from bulkup.settings.table import Settings

EXAMPLE = """\b
Example: bulkup models
Example: bulkup models add siglip2
Example: bulkup models add siglip2 --from ./export
Example: bulkup models add ./my-model
Example: bulkup models rm siglip2"""


FilesOption = Annotated[
    Path | None,
    typer.Option(
        "--from", metavar="DIR", help="Take the files of a known model from this directory."
    ),
]


def run(
    flags: Flags,
    action: Annotated[
        Literal["list", "add", "rm"], typer.Argument(metavar="list|add|rm", help="What to do.")
    ] = "list",
    what: Annotated[
        str | None, typer.Argument(metavar="[FOLDER|NAME]", help="A model's folder, or its name.")
    ] = None,
    source: FilesOption = None,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="NAME", help="Branch, tag or commit on the hub."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List the models for --model; add one by name or folder, remove one.

    A folder has model.json and image.onnx, and either text.onnx and tokenizer.json or labels.json.
    The files of a known model
    are downloaded once, from embed.hub; an interrupted download continues where it stopped. Their
    digests are kept, so that the model stays what it was.
    """
    from bulkup.operations.pictures.models import list_models, remove_model

    settings = flags.settings()
    directory = settings.run.embed.models_directory
    if (action == "list") is not (what is None):
        raise UsageError(
            "list takes nothing, add a folder or a name, rm a name",
            hint="For example: bulkup models add siglip2",
        )
    if action == "rm":
        folder = remove_model(str(what), directory)
        if not settings.quiet:
            typer.echo(f"Removed {folder}")
    elif action == "add":
        _print([_add(str(what), source, revision, settings)], json=json, quiet=settings.quiet)
    else:
        _print(list_models(directory), json=json, quiet=settings.quiet)


def _add(what: str, source: Path | None, revision: str | None, settings: Settings) -> Model:
    from bulkup.embed.two_towers.hub import Hub
    from bulkup.embed.two_towers.recipes import RECIPES
    from bulkup.operations.pictures.models import PUBLIC_HUB, add_clip, add_known_model, add_model

    options = settings.run.embed
    if what == "clip" and source is None and revision is None:
        return add_clip(options.models_directory)
    if what not in RECIPES:
        if source is not None or revision is not None:
            raise UsageError(f"--from and --revision are for {', '.join(RECIPES)}")
        return add_model(Path(what), options.models_directory)

    def report(path: str, missing_bytes: int) -> None:
        if not settings.quiet:
            size = f" ({missing_bytes / 1e6:,.0f} MB)" if missing_bytes >= 0 else ""
            typer.echo(f"Downloading {path}{size}", err=True)

    url = options.hub or os.environ.get("HF_ENDPOINT") or PUBLIC_HUB
    added = add_known_model(
        what,
        options.models_directory,
        source=source,
        hub=Hub(url, ca_bundle=options.ca_bundle),
        revision=revision,
        report=report,
    )
    if added.is_first and not settings.quiet:
        typer.echo(
            f"The files of this first download are trusted and pinned ({added.pinned}).", err=True
        )
    return added.model


def _print(models: Sequence[Model], *, json: bool, quiet: bool) -> None:
    if json:
        from bulkup.cli.output.rows import print_json

        print_json(model._asdict() for model in models)
        return
    if quiet:
        return
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import escape

    # The state last to go: it has the command that fixes it.
    columns = [
        Column("Model"),
        Column("Version", drop=2),
        Column("Dimension", right=True, drop=4),
        Column("License", drop=3),
        Column("State"),
        Column("Place", cut=True, drop=1),
    ]
    rows = [
        [model.name, model.version, str(model.dimension or ""), model.license, model.state,
         model.place]
        for model in models
    ]  # fmt: skip
    print_table(columns, [[escape(cell) for cell in row] for row in rows], sys.stdout, os.environ)
