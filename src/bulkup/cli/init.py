"""bulkup init: write a commented bulkup.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bulkup.cli.output.text import escape
from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError

EXAMPLE = "Example: bulkup init"


def run(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="[FILE]")] = Path("bulkup.toml"),
) -> None:
    """Write a bulkup.toml in which every setting stands with its default, commented out."""
    from bulkup.cli.toml_init import toml_text

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(toml_text())
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="It was not changed.") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    typer.echo(f"Wrote {escape(str(file))}")
