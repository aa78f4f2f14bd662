"""The commands by name. Each is imported and built only when it is needed, to start fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from bulkup.cli.shared_options import with_settings

NAMES = (
    "push",
    "status",
    "watch",
    "retry",
    "resume",
    "process",
    "embed",
    "search",
    "verify",
    "ls",
    "du",
    "files",
    "history",
    "export",
    "pull",
    "free",
    "restore",
    "rebuild",
    "serve",
    "token",
    "init",
    "allow",
    "models",
    "doctor",
    "clean",
    "forget",
)
"""In the order of `--help`. The module of the same name has `run`, EXAMPLE, and SETTINGS: the
settings whose flags the command takes."""


class CommandGroup(TyperGroup):
    """All commands of bulkup."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]  # read only


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
    alone.command(name, epilog=module.EXAMPLE)(
        with_settings(module.run, getattr(module, "SETTINGS", ()))
    )
    command = get_command(alone)
    assert isinstance(command, TyperCommand)
    return command
