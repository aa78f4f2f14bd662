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
    from bulkup.operations.models import Model

EXAMPLE = """\b
Example: bulkup models
Example: bulkup models add ./siglip2-base
Example: bulkup models rm siglip2"""


def run(
    flags: Flags,
    action: Annotated[
        Literal["list", "add", "rm"], typer.Argument(metavar="list|add|rm", help="What to do.")
    ] = "list",
    what: Annotated[
        str | None, typer.Argument(metavar="[FOLDER|NAME]", help="A model's folder, or its name.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As a JSON array.")] = False,
) -> None:
    """List the models for --model; add one from a folder, or remove one.

    A folder has model.json, image.onnx, text.onnx and tokenizer.json. Nothing is downloaded.
    """
    from bulkup.operations.models import add_model, list_models, remove_model

    settings = flags.settings()
    directory = settings.run.embed.models_directory
    if (action == "list") is not (what is None):
        raise UsageError(
            "list takes nothing, add a folder, rm a name",
            hint="For example: bulkup models add ./siglip2-base",
        )
    if action == "rm":
        folder = remove_model(str(what), directory)
        if not settings.quiet:
            typer.echo(f"Removed {folder}")
        return
    models = [add_model(Path(str(what)), directory)] if action == "add" else list_models(directory)
    if json:
        from bulkup.cli.output.rows import print_json

        print_json(model._asdict() for model in models)
    elif not settings.quiet:
        _print(models)


def _print(models: Sequence[Model]) -> None:
    from bulkup.cli.output.table import Column, print_table
    from bulkup.cli.output.text import escape

    columns = [Column("Model"), Column("Version"), Column("Dimension", right=True),
               Column("License", drop=1), Column("State"), Column("Place", cut=True)]  # fmt: skip
    rows = [
        [model.name, model.version, str(model.dimension or ""), model.license, model.state,
         model.place]
        for model in models
    ]  # fmt: skip
    print_table(columns, [[escape(cell) for cell in row] for row in rows], sys.stdout, os.environ)
