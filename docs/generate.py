#!/usr/bin/env python3
"""Write the pages that follow from the code: commands, settings and the example settings file.

python docs/generate.py            writes docs/commands.md, docs/settings.md, examples/bulkup.toml
python docs/generate.py --check    writes nothing; exits 1 and names the pages that are stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from bulkup.cli.app import app
from bulkup.cli.init import toml_text, toml_value
from bulkup.settings.setting import SettingRow
from bulkup.settings.table import describe

REPOSITORY = Path(__file__).resolve().parents[1]
WIDTH = 98  # what --help uses in a terminal of 100 columns or more

COMMANDS_HEAD = """\
# Commands

What `bulkup --help` and `bulkup COMMAND --help` print. Written by `docs/generate.py`; do not edit.
Each `--help` ends with an example. The [README](../README.md) shows the commands at work.
"""

SETTINGS_HEAD = """\
# Settings

Every setting of bulkup. Written by `docs/generate.py`; do not edit.

A setting is looked for in this order, and the first place that has it wins:

1. the flag on the command line;
2. the environment variables, in the order in which they stand below;
3. the settings file: the one that `--config FILE` or `BULKUP_CONFIG` names, else `bulkup.toml` in
   the current directory, else `bulkup.toml` in your configuration directory. Only one is read;
4. the default.

An empty value counts as not given. A key that bulkup does not know is an error (exit code 2) that
names the nearest known key. Relative paths in the file start at the folder of the file, all others
at the current directory.

Sizes are written as `500k`, `10M` or `1.5GiB`: powers of 1024. Only `kB`, `MB` and `GB` are powers
of 1000. Durations are written as `90s`, `10m`, `1h30m` or `2d`; a bare number is seconds.

`bulkup init` writes this list as a commented [`bulkup.toml`](../examples/bulkup.toml). A table
`[profile.NAME]` in it holds the same keys and overrides them; `--profile NAME` or
`BULKUP_PROFILE=NAME` chooses it. Where the file has no profile of that name, it is an AWS profile.
"""

TABLES = {
    "": "Everywhere",
    "push": "What a push takes, and how it works: `[push]`",
    "s3": "The server and its objects: `[s3]`",
    "process": "Thumbnails and previews: `[process]`",
    "embed": "What makes pictures searchable: `[embed]`",
    "claims": "Several runs at once: `[claims]`",
    "notify": "The webhook: `[notify]`",
}
HEADINGS = ("Key", "Default", "Flag", "Environment", "What it does")


def commands_page() -> str:
    """`--help` of bulkup and of each of its commands, in the order in which it lists them."""
    parts = [COMMANDS_HEAD, _help_section([])]
    parts += [_help_section([name]) for name in command_names()]
    return "\n".join(parts)


def command_names() -> list[str]:
    """The names of all commands."""
    return list(get_command(app).commands)  # type: ignore[attr-defined]  # it is a group


def _help_section(words: list[str]) -> str:
    title = " ".join(["bulkup", *words])
    return f"## {title}\n\n```text\n{help_text(words).rstrip()}\n```\n"


def help_text(words: list[str]) -> str:
    """What `bulkup WORDS --help` prints, WIDTH columns wide."""
    words = [*words, "--help"]
    answer = CliRunner().invoke(app, words, prog_name="bulkup", terminal_width=WIDTH)
    if answer.exit_code:
        raise RuntimeError(f"{words} ended with {answer.exit_code}")
    return answer.output


def settings_page() -> str:
    """A table of settings for each table of `bulkup.toml`."""
    parts = [SETTINGS_HEAD]
    for table, rows in groupby(describe(), key=lambda row: row.key.rpartition(".")[0]):
        parts += [f"## {TABLES[table]}\n", _table(rows)]
    return "\n".join(parts)


def _table(rows: Iterable[SettingRow]) -> str:
    lines = [_line(HEADINGS), _line("---" for _ in HEADINGS), *(_line(_cells(row)) for row in rows)]
    return "\n".join(lines) + "\n"


def _cells(row: SettingRow) -> tuple[str, ...]:
    example = "" if row.example == row.default else f" For example `{toml_value(row.example)}`."
    return (
        f"`{row.key}`",
        "" if row.default in ("", [], {}) else f"`{toml_value(row.default)}`",
        f"`{row.flag}`" if row.flag else "",
        ", ".join(f"`{name}`" for name in row.env),
        row.help + example,
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def pages() -> dict[Path, str]:
    """Every generated file and what belongs in it."""
    return {
        REPOSITORY / "docs" / "commands.md": commands_page(),
        REPOSITORY / "docs" / "settings.md": settings_page(),
        REPOSITORY / "examples" / "bulkup.toml": toml_text(),
    }


def stale() -> list[Path]:
    """Those that do not say what the code says."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text() != text]


def main() -> None:
    """Write the pages, or check them."""
    if sys.argv[1:] == ["--check"]:
        if names := [str(path.relative_to(REPOSITORY)) for path in stale()]:
            sys.exit(f"stale: {', '.join(names)}; run python docs/generate.py")
        return
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
