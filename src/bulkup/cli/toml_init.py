"""The commented `bulkup.toml` that `bulkup init` writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from bulkup.settings.setting import SettingRow
from bulkup.settings.table import describe

_HEAD = """\
# Settings of bulkup. Flags win over the environment, the environment wins over this file.
# bulkup reads bulkup.toml in the current directory, else in your configuration directory.
# A line that starts with "#" and no space shows a default: remove the "#" and change it.
# An empty value stands for the default. Relative paths start at this file's folder."""

_PROFILE = """\
# A profile holds the same keys and overrides them; --profile NAME or BULKUP_PROFILE chooses it.
#
#   [profile.archive]
#   push.to = "s3://archive/photos"
#   s3.storage_class = "STANDARD_IA"
#   s3.profile = "archive-writer"    (the AWS profile that goes with it)"""


def toml_text(rows: Iterable[SettingRow] | None = None) -> str:
    """A file that changes nothing as it is: every setting with its default, commented out."""
    paragraphs = [_HEAD]
    current = ""
    for row in describe() if rows is None else rows:
        table, _, name = row.key.rpartition(".")
        if table != current:
            paragraphs.append(f"[{table}]")
            current = table
        paragraphs.append("\n".join([*_comment(row), f"#{name} = {toml_value(row.default)}"]))
    return "\n\n".join([*paragraphs, _PROFILE]) + "\n"


def _comment(row: SettingRow) -> list[str]:
    names = [row.flag, *row.env] if row.flag else list(row.env)
    lines = [f"# {row.help}", f"# ({', '.join(names)})"]
    if row.example != row.default:
        lines.append(f"# For example: {toml_value(row.example)}")
    return lines


def toml_value(value: object) -> str:
    """The value as TOML 1.0 writes it: text, truth, whole number, list or inline table."""
    if isinstance(value, Mapping):
        pairs = [f"{json.dumps(name)} = {toml_value(inner)}" for name, inner in value.items()]
        return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
    # A basic string, a truth, a number and a list of them are written as in JSON (TOML 1.0).
    return json.dumps(value, ensure_ascii=False)
