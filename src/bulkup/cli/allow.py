"""bulkup allow: lets bulkup use a settings file of the current directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkup.cli.output.text import escape
from bulkup.cli.shared_options import Flags
from bulkup.settings.trust import allow, read_settings_file

EXAMPLE = "Example: bulkup allow"


def run(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The settings file.")] = Path(
        "bulkup.toml"
    ),
) -> None:
    """Allow the bulkup.toml of the current directory, until it changes.

    Settings decide where pictures and keys go, so read a file that is not yours first. Without
    this, a bulkup.toml in the current directory is ignored; --config FILE needs no permission.
    """
    from bulkup.settings.toml_file import read_values

    found = read_settings_file(file)
    read_values(found)  # one with a mistake is not allowed
    allow(found, flags.data_directory())
    typer.echo(f"Allowed {escape(str(file))}")
