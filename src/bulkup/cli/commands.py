"""The commands by name. Each is imported and built only when it is needed, to start fast."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from bulkup import __version__
from bulkup.cli.other_verbs import unknown_command
from bulkup.cli.run_options import PANELS, panel_of
from bulkup.cli.shared_options import with_settings
from bulkup.errors import ExitCode

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Upload": ("push", "watch", "resume", "retry"),
    "Progress and failures": ("status", "accept", "files", "history"),
    "Thumbnails and search": ("process", "embed", "search", "models"),
    "Destinations": ("verify", "ls", "du", "clean", "forget"),
    "Back from a destination": ("pull", "free", "restore", "rebuild"),
    "Setup and data": ("init", "allow", "doctor", "query", "export", "merge"),
    "Server": ("serve", "token"),
}
"""The commands in the order of `--help`."""

NAMES = tuple(name for names in GROUPS.values() for name in names)
"""The module of the same name has `run`, EXAMPLE, and SETTINGS: the settings whose flags the
command takes."""


FIRST_STEPS = f"""\
bulkup {__version__} uploads folders of pictures to S3-compatible storage or another
disk: every picture once, nothing overwritten, resumable, searchable afterwards.

  bulkup doctor --to s3://bucket/photos           check keys and bucket
  bulkup push ~/Photos --to s3://bucket/photos -n show what would be done
  bulkup push ~/Photos --to s3://bucket/photos    do it (Ctrl-C at any time)
  bulkup resume                                   continue where it stopped
  bulkup status                                   show where everything stands
  bulkup status --failed                          show what failed, and why
  bulkup search sailing boat --html hits.html     find pictures
  bulkup pull --into ~/back                       bring everything back

Other S3 servers than Amazon's: --endpoint-url https://server:port
A disk or NAS: --to /mnt/nas/photos

All commands: bulkup --help      One command: bulkup help push
"""


class CommandGroup(TyperGroup):
    """All commands of bulkup, in groups; also `help [COMMAND]` and `version`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]  # read only

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Without any argument, what to type first: it fits a terminal of 24 lines."""
        if not args and not ctx.resilient_parsing:
            print(FIRST_STEPS, file=sys.stderr)
            raise typer.Exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments name, and the rest of them."""
        name = args[0]
        if name == "help":
            args = [*args[1:2], "--help"]
            name = args[0]
            if name == "--help":
                typer.echo(ctx.get_help())
                raise typer.Exit
        if name == "version":
            typer.echo(f"bulkup {__version__}")
            raise typer.Exit
        if name not in NAMES and not name.startswith("-") and not ctx.resilient_parsing:
            raise unknown_command(name, NAMES)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The commands first: they are what one looks for."""
        self.format_commands(ctx, formatter)
        records = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section("Global options"):
            formatter.write_dl([record for record in records if record is not None])

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The commands by group, each with the first sentence of its help."""
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(200)) for name in names]
                )


class PanelCommand(TyperCommand):
    """A command whose help lists its options by panel."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, the command's own options, and the panels of PANELS."""
        panels: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", *PANELS)}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                is_argument = param.param_type_name == "argument"
                title = "Arguments" if is_argument else panel_of(param)
                panels[title].append(record)
        for title, records in panels.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class _Commands(Mapping[str, TyperCommand]):
    def __getitem__(self, name: str) -> TyperCommand:
        if name not in NAMES:
            raise KeyError(name)
        return _built(name)

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


@cache
def _built(name: str) -> TyperCommand:
    module = import_module(f"bulkup.cli.{name}")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=PanelCommand, epilog=module.EXAMPLE)(
        with_settings(module.run, getattr(module, "SETTINGS", ()))
    )
    command = get_command(alone)
    assert isinstance(command, TyperCommand)
    for param in command.params:
        if param.name in getattr(module, "PAIRS", ()):
            param.nargs = 2  # typer has no annotation for an option of two values that repeats
    return command
