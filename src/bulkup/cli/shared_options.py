"""The global options, and how options become settings."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from bulkup.cli.completion import COMPLETERS, complete_aws_profile
from bulkup.errors import ErrorClass, ExitCode, UsageError
from bulkup.settings import parsing as kinds
from bulkup.settings.load import data_directory, load
from bulkup.settings.table import LEAVES, Settings

ManifestOption = Annotated[
    str | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="The manifest, an SQLite file (default $BULKUP_HOME/manifest.db). [BULKUP_MANIFEST]",
        rich_help_panel="Global options",
    ),
]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file (default ./bulkup.toml if allowed, then the user's). "
        "[BULKUP_CONFIG]",
        rich_help_panel="Global options",
    ),
]
QuietOption = Annotated[
    bool | None,
    typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel="Global options"),
]
VerboseOption = Annotated[
    bool | None,
    typer.Option(
        "--verbose", "-v", help="Print a line per file.", rich_help_panel="Global options"
    ),
]
LogFileOption = Annotated[
    str | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Append the events of a run to FILE as JSON lines.",
        rich_help_panel="Global options",
    ),
]

DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", "-n", help="Print what would be done; no request, no write."),
]

StageOption = Annotated[
    Literal["upload", "process", "embed"] | None, typer.Option(help="Only this stage.")
]
ErrorOption = Annotated[
    ErrorClass | None, typer.Option(metavar="CLASS", help="Only this error class.")
]
FailedPathOption = Annotated[
    str | None,
    typer.Option(metavar="GLOB", help="Only this folder, or paths that end like this pattern."),
]

AwsProfileOption = Annotated[
    str | None,
    typer.Option(
        "--aws-profile",
        metavar="TEXT",
        help="The AWS profile, also where bulkup.toml has profiles.",
        autocompletion=complete_aws_profile,
    ),
]

GLOBAL_OPTIONS: Mapping[str, Any] = {
    "manifest": ManifestOption,
    "config": ConfigOption,
    "quiet": QuietOption,
    "verbose": VerboseOption,
    "log_file": LogFileOption,
}


class Flags(NamedTuple):
    """The flags of settings and the global options that were given."""

    given: Mapping[str, object]

    def settings(self, **flags: object) -> Settings:
        """The settings: flags > environment > bulkup.toml > defaults."""
        settings = load({**self.given, **flags}, os.environ, Path.cwd(), warn=warn)
        if settings.quiet and settings.verbose:
            raise UsageError(
                "quiet and verbose contradict each other", hint="Leave one of them out."
            )
        return settings

    def has(self, name: str) -> bool:
        """Whether the flag of this name was given."""
        return bool(self.given.get(name))

    def settings_at(self, destination: str | None) -> tuple[Settings, str | None]:
        """The settings, and the URL or path of the destination that an option names, if it does:
        `nas:` is one of bulkup.toml, whose S3 options hold then."""
        if destination is None:
            return self.settings(), None
        settings = self.settings(to=destination)
        return settings, settings.upload.to

    def data_directory(self) -> Path:
        """bulkup's data directory, which no settings file decides."""
        return data_directory(os.environ, Path.cwd())


def only_one(**given: object) -> None:
    """Raise UsageError if two of these options were given: one would be ignored."""
    names = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if len(names) > 1:
        raise UsageError(
            f"{names[0]} and {names[1]} contradict each other", hint="Leave one of them out."
        )


@functools.cache
def warn(message: str) -> None:
    """Print a warning on standard error, once."""
    from bulkup.cli.output.text import print_folded

    print_folded(f"bulkup: {message}", sys.stderr)


_WITH_EXAMPLE = (kinds.SIZE, kinds.SPAN, kinds.BANDWIDTH, kinds.MOMENT)


def _setting_option(key: str) -> tuple[str, Any]:
    """The name and the annotation of the parameter for a setting's flag."""
    row, kind = LEAVES[key].row, LEAVES[key].kind
    assert row.flag is not None
    name = row.flag.removeprefix("--").replace("-", "_")
    if kind is kinds.TRUTH:
        return name, Annotated[bool | None, typer.Option(row.flag, help=row.help)]
    if kind.choices:
        return name, Annotated[Literal[kind.choices] | None, typer.Option(row.flag, help=row.help)]
    many = kind in (kinds.TEXTS, kinds.PAIRS)
    sentence = row.help.removesuffix(".")
    if many:
        sentence += "; repeatable"
    elif kind in _WITH_EXAMPLE and row.example != row.default:
        sentence += f", for example {row.example}"
    option = typer.Option(
        row.flag,
        metavar=kind.metavar,
        help=f"{sentence}.",
        autocompletion=COMPLETERS.get(key),
    )
    return name, Annotated[list[str] | None if many else str | None, option]


def with_settings(command: Callable[..., None], keys: Iterable[str]) -> Callable[..., None]:
    """The command with the flags of these settings and the global options added to its own.

    Its first parameter receives them as Flags. An option after the command's name wins over one
    before it.
    """
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    keys = list(keys)
    options = {**dict(map(_setting_option, keys)), **GLOBAL_OPTIONS}
    if "s3.profile" in keys:
        options["aws_profile"] = AwsProfileOption
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in options.items()
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        before: Mapping[str, object] = values.pop("context").obj or {}
        after = {name: values.pop(name) for name in options}
        given = {**before, **{name: value for name, value in after.items() if value is not None}}
        try:
            command(Flags(given), **values)
        except BrokenPipeError:  # the reader has gone; typer would exit with 1
            raise typer.Exit(ExitCode.DONE) from None

    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by typer
        parameters=[context, *keyword, *added]
    )
    wrapped.__annotations__ = {p.name: p.annotation for p in (context, *keyword, *added)}
    del wrapped.__wrapped__  # typer would read its signature
    return wrapped
