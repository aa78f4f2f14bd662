"""Help that fits a terminal, and hints for who comes from other tools."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from bulkup import __version__
from bulkup.cli.app import app
from bulkup.cli.commands import GROUPS, NAMES
from bulkup.cli.other_verbs import OTHERS, option_hint, unknown_command
from bulkup.errors import UsageError


def shown(*arguments: str) -> str:
    ended = CliRunner().invoke(app, arguments, env={"COLUMNS": "80"})
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_every_command_has_one_line_in_80_columns() -> None:
    lines = shown("--help").splitlines()
    for names in GROUPS.values():
        for name in names:
            (line,) = [one for one in lines if one.startswith(f"  {name} ")]
            assert line.endswith("."), f"the first sentence of {name} is too long"
            assert len(line) <= 80


def test_the_commands_come_before_the_options() -> None:
    text = shown("--help")
    assert text.index("Upload:") < text.index("Global options:") < text.index("Exit codes:")


@pytest.mark.parametrize("name", NAMES)
def test_help_has_no_option_without_a_text(name: str) -> None:
    assert "Example" in shown(name, "--help")
    command = get_command(app).commands[name]  # type: ignore[attr-defined]  # it is a group
    assert all(param.help for param in command.params)


def test_the_options_of_push_are_grouped() -> None:
    text = shown("push", "--help")
    titles = ("Where:", "What:", "Objects:", "How fast and how long:", "Output:", "Global options:")
    places = [text.index(f"\n{title}") for title in titles]
    assert places == sorted(places)
    assert text.index("Where:") < text.index("--endpoint-url") < text.index("What:")


@pytest.mark.parametrize("arguments", [("-V",), ("--version",), ("version",)])
def test_the_version(arguments: tuple[str, ...]) -> None:
    assert shown(*arguments) == f"bulkup {__version__}\n"


def test_help_as_a_command() -> None:
    assert shown("help") == shown("--help")
    assert shown("help", "push") == shown("push", "--help")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("sync", "Did you mean: bulkup push DIR --to s3://bucket/prefix"),
        ("copy", "Did you mean: bulkup push DIR --to s3://bucket/prefix"),
        ("backup", "Did you mean: bulkup push DIR --to s3://bucket/prefix"),
        ("snapshots", "Did you mean: bulkup history"),
        ("download", "Did you mean: bulkup pull --into DIR"),
        ("check", "Did you mean: bulkup verify"),
        ("prune", "Did you mean: bulkup clean"),
        ("completion", "Did you mean: bulkup --install-completion"),
        ("pusj", "Did you mean: bulkup push"),
        ("xyzzy", "All commands: bulkup --help"),
    ],
)
def test_verbs_of_other_tools_are_understood(typed: str, hint: str) -> None:
    error = unknown_command(typed, NAMES)
    assert str(error) == f"there is no command {typed}"
    assert error.hint == hint


def test_no_command_of_bulkup_is_taken_for_one_of_another_tool() -> None:
    assert not set(OTHERS) & set(NAMES)


def test_an_unknown_command_is_an_error_of_usage() -> None:
    ended = CliRunner().invoke(app, ["mirror", "a", "b"])
    assert isinstance(ended.exception, UsageError)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("--dst", "Did you mean: --to DEST"),
        ("--transfers", "Did you mean: --concurrency N"),
        ("--delete", "bulkup deletes nothing at a destination."),
        ("--nosuch", None),
    ],
)
def test_options_of_other_tools_are_understood(option: str, hint: str | None) -> None:
    assert option_hint(option) == hint


def test_without_a_command_the_first_steps_fit_a_small_terminal() -> None:
    ended = CliRunner().invoke(app, [])
    assert ended.exit_code == 2
    lines = ended.stderr.splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    shown_commands = re.findall(r"^  bulkup (\w+)", ended.stderr, re.MULTILINE)
    assert set(shown_commands) <= set(NAMES)
    assert {"push", "resume", "status", "search"} <= set(shown_commands)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        *(
            (f"{verb} --json --csv", "--json and --csv contradict each other")
            for verb in ("status", "files", "history", "ls", "verify")
        ),
        ("files -q -v", "quiet and verbose contradict each other"),
        ("search x --json --print0", "--json and --print0 contradict each other"),
        ("status --failed --accepted", "--failed and --accepted contradict each other"),
        ("verify --deep --sample 5", "--deep and --sample contradict each other"),
        ("verify --seed 5", "--seed is for a sample"),
        ("push . --newer-than 2d --older-than 7d", "no file fits"),
    ],
)
def test_options_that_contradict_each_other_are_refused(typed: str, said: str) -> None:
    """Rather than one of them being ignored."""
    ended = CliRunner().invoke(app, typed.split()).exception
    assert isinstance(ended, UsageError)
    assert said in str(ended)
