"""bulkup init, where settings come from, and what --help says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bulkup.cli.commands import NAMES
from tests.e2e.conftest import PROGRAM, Bulkup
from tests.e2e.trees import make_tree, objects_in, picture

pytestmark = pytest.mark.usefixtures("uploads_only")


def test_init_writes_a_file_that_changes_nothing(bulkup: Bulkup, tmp_path: Path) -> None:
    bulkup("init")
    assert (tmp_path / "bulkup.toml").read_text().startswith("# Settings of bulkup")
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos")
    assert set(objects_in(bulkup.home / "store")) == {"a.jpg"}
    assert "ignored" not in bulkup("status").stderr


def test_init_does_not_overwrite(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text("# mine\n")
    ended = bulkup("init", check=2)
    assert "bulkup.toml already exists" in ended.stderr
    assert (tmp_path / "bulkup.toml").read_text() == "# mine\n"


def test_flags_win_over_the_environment_over_the_file(bulkup: Bulkup, tmp_path: Path) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup.use_settings('[push]\nto = "from-file"\n')
    bulkup("push", "photos", "--manifest", "1.db")
    bulkup("push", "photos", "--manifest", "2.db", env={"BULKUP_TO": "from-env"})
    bulkup("--manifest", "3.db", "push", "photos", "--to", "from-flag", env={"BULKUP_TO": "x"})
    for store in ("from-file", "from-env", "from-flag"):
        assert set(objects_in(tmp_path / store)) == {"a.jpg"}
    assert not (tmp_path / "x").exists()


def test_global_options_before_and_after_the_command(bulkup: Bulkup, tmp_path: Path) -> None:
    """What follows the command's name wins."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("--manifest", "one.db", "push", "photos", "--manifest", "two.db", "-q")
    assert (tmp_path / "two.db").exists()
    assert not (tmp_path / "one.db").exists()


def test_an_unknown_key_names_the_nearest(bulkup: Bulkup, tmp_path: Path) -> None:
    (tmp_path / "bulkup.toml").write_text('[push]\nexlude = ["a"]\n')
    ended = bulkup("status", "--config", "bulkup.toml", check=2)
    assert "exlude" in ended.stderr
    assert "exclude" in ended.stderr
    assert "bulkup.toml" in ended.stderr


def test_a_foreign_settings_file_is_ignored_until_it_is_allowed(
    bulkup: Bulkup, tmp_path: Path
) -> None:
    """It came with a folder of pictures: it must not say where pictures and log lines go."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    start_file = tmp_path / "bashrc"
    start_file.write_text("# mine\n")
    settings = tmp_path / "photos" / "bulkup.toml"
    settings.write_text('log_file = "../bashrc"\n[push]\nto = "../there"\n')
    for flags in ((), ("--quiet",)):
        ended = bulkup("push", ".", *flags, cwd=tmp_path / "photos")
        assert ended.stderr.count("bulkup.toml is ignored") == 1
    assert set(objects_in(bulkup.home / "store")) == {"a.jpg"}
    assert start_file.read_text() == "# mine\n"

    settings.write_text('[push]\nto = "../there"\n')
    bulkup("allow", cwd=tmp_path / "photos")
    assert "ignored" not in bulkup("push", ".", cwd=tmp_path / "photos").stderr
    assert set(objects_in(tmp_path / "there")) == {"a.jpg"}

    settings.write_text('[push]\nto = "../elsewhere"\n')
    assert "is ignored" in bulkup("status", cwd=tmp_path / "photos").stderr


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_settings_file_that_others_may_write_cannot_be_allowed(
    bulkup: Bulkup, tmp_path: Path, mode: int
) -> None:
    bulkup("init")
    (tmp_path / "bulkup.toml").chmod(mode)
    assert "everybody may write it" in bulkup("allow", check=2).stderr
    assert "is ignored: everybody may write it" in bulkup("status").stderr


@pytest.mark.parametrize(
    "args",
    [
        ("push",),
        ("push", "photos", "--layout", "sideways"),
        ("push", "photos", "--min-size", "many"),
        ("push", "photos", "--newer-than", "yesterday-ish"),
        ("push", "photos", "--include", "[z-a]"),
        ("push", "photos", "--concurrency", "none"),
        ("push", "photos", "--to", "gopher://host/x"),
        ("push", "photos", "--to", "s3://"),
        ("push", "photos", "--files-from", "no-such-list"),
        ("push", "photos", "--config", "no-such.toml"),
        ("push", "photos", "--log-file", "no/such/folder/log"),
        ("no-such-command",),
        ("status", "--no-such-option"),
        ("clean", "--older-than", "soon"),
    ],
)
def test_wrong_usage_is_exit_2(bulkup: Bulkup, tmp_path: Path, args: tuple[str, ...]) -> None:
    """And the message says so in words."""
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    ended = bulkup(*args, check=2)
    assert ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("push", "photos", "--log-file", "bashrc"),
        ("push", "photos", "--metrics-file", "bashrc"),
        ("status", "--metrics-file", "bashrc"),
        ("search", "word", "--html", "bashrc"),
    ],
)
def test_no_output_replaces_or_extends_a_file_that_bulkup_did_not_write(
    bulkup: Bulkup, tmp_path: Path, args: tuple[str, ...]
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    bulkup("push", "photos", "--log-file", "log", "--metrics-file", "metrics")
    bulkup("push", "photos", "--log-file", "log", "--metrics-file", "metrics")
    (tmp_path / "bashrc").write_text("# mine\n")
    assert "is a file that bulkup did not write" in bulkup(*args, check=2).stderr
    assert (tmp_path / "bashrc").read_text() == "# mine\n"


@pytest.mark.parametrize("command", ["push photos --to to", "verify", "doctor", "clean"])
def test_too_few_descriptors_are_refused_before_any_work(
    bulkup: Bulkup, tmp_path: Path, command: str
) -> None:
    make_tree(tmp_path / "photos", {"a.jpg": picture(1)})
    ended = subprocess.run(
        ["sh", "-c", f"ulimit -n 24; exec {PROGRAM} {command}"],
        env=bulkup.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (5, "")
    assert "only 24 open files are allowed; bulkup needs at least 64" in ended.stderr
    assert not (tmp_path / "to").exists()


def test_every_command_shows_an_example(bulkup: Bulkup) -> None:
    """And takes the global options after its name."""
    for command in NAMES:
        shown = bulkup(command, "--help").stdout
        assert re.search(rf"Example: bulkup {command}\b", shown), command
        for option in ("--manifest", "--config", "--quiet", "--verbose", "--log-file"):
            assert option in shown, command


def test_the_help_knows_every_exit_code(bulkup: Bulkup) -> None:
    shown = bulkup("--help").stdout
    for code in (0, 1, 2, 3, 4, 5, 130, 143):
        assert re.search(rf"^ +{code}  \w", shown, re.MULTILINE), code
    assert bulkup("--version").stdout.startswith("bulkup ")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ("process", "-q", "-v"),
            "quiet and verbose contradict each other\n  Leave one of them out.\n",
        ),
        (
            ("status", "photos"),
            "got unexpected extra argument(s) (photos)\n"
            "  The files of one folder: bulkup files PATH\n  All options: bulkup status --help\n",
        ),
        (
            ("sync", "a", "s3://b/p"),
            "there is no command sync\n  Did you mean: bulkup push DIR --to s3://bucket/prefix\n",
        ),
        (
            ("push", "a", "--transfers", "4"),
            "no such option: --transfers\n  Did you mean: --concurrency N\n"
            "  All options: bulkup push --help\n",
        ),
        (
            ("push",),
            "missing argument 'PATH…'\n  Example: bulkup push ./photos --to s3://bucket/photos "
            "--exclude 'drafts/'\n  All options: bulkup push --help\n",
        ),
    ],
)
def test_wrong_usage_is_reported_like_all_other_errors(
    bulkup: Bulkup, typed: tuple[str, ...], said: str
) -> None:
    assert bulkup(*typed, check=2).stderr == f"bulkup: {said}"
