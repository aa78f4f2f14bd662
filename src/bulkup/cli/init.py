"""bulkup init: writes a commented bulkup.toml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from bulkup.cli.output.text import escape
from bulkup.cli.shared_options import Flags
from bulkup.errors import UsageError
from bulkup.settings.setting import SettingRow
from bulkup.settings.table import describe
from bulkup.settings.trust import allow, read_settings_file

EXAMPLE = "Example: bulkup init"

_HEAD = """\
# Settings of bulkup. Flags override the environment, which overrides this file.
# bulkup reads bulkup.toml in the current directory, else in your configuration directory.
# In the current directory it counts only once you have allowed it: after a change, bulkup allow.
# A line that starts with "#" and no space shows a default: remove the "#" and change it.
# An empty value stands for the default. Relative paths start at this file's folder."""

_DESTINATIONS = """\
# Names for destinations: --to nas:, --from archive:2019. Beside `to`, keys of [s3] may be given.
#
#   [destinations]
#   nas = "/mnt/nas/photos"
#   archive = { to = "s3://archive/photos", endpoint_url = "https://s3.example.org" }"""

_PROFILE = """\
# A profile holds the same keys and overrides them; --profile NAME or BULKUP_PROFILE chooses it.
#
#   [profile.archive]
#   push.to = "s3://archive/photos"
#   s3.storage_class = "STANDARD_IA"
#   s3.profile = "archive-writer"    (the AWS profile that goes with it)"""


def run(
    flags: Flags,
    file: Annotated[Path, typer.Argument(metavar="[FILE]", help="The settings file.")] = Path(
        "bulkup.toml"
    ),
) -> None:
    """Write a bulkup.toml with every setting and its default.

    All of them are commented out.
    """
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(toml_text())
    except FileExistsError as error:
        raise UsageError(f"{file} already exists", hint="It was not changed.") from error
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error
    allow(read_settings_file(file), flags.data_directory())
    typer.echo(f"Wrote {escape(str(file))}")


def toml_text() -> str:
    """The file: every setting with its default, commented out."""
    paragraphs = [_HEAD]
    current = ""
    for row in describe():
        table, _, name = row.key.rpartition(".")
        if table != current:
            paragraphs.append(f"[{table}]")
            current = table
        paragraphs.append("\n".join([*_comment(row), f"#{name} = {toml_value(row.default)}"]))
    return "\n\n".join([*paragraphs, _DESTINATIONS, _PROFILE]) + "\n"


def _comment(row: SettingRow) -> list[str]:
    names = [row.flag, *row.env] if row.flag else list(row.env)
    lines = [f"# {row.help}", f"# ({', '.join(names)})"]
    if row.example != row.default:
        lines.append(f"# For example: {toml_value(row.example)}")
    return lines


def toml_value(value: object) -> str:
    """The value as TOML 1.0 writes it: string, boolean, integer, list or inline table."""
    if isinstance(value, Mapping):
        pairs = [f"{json.dumps(name)} = {toml_value(inner)}" for name, inner in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    # Basic strings, booleans, numbers and lists of them are the same in JSON.
    return json.dumps(value, ensure_ascii=False)
