"""The advice on missing packages fits the installation, and names no package of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.installation import extra_command, install_command


@pytest.mark.parametrize(
    ("marker", "text", "command"),
    [
        ("pipx_metadata.json", "{}", "pipx inject bulkup"),
        ("uv-receipt.toml", "", "uv pip install --python {prefix}/bin/python"),
        ("pyvenv.cfg", "home = /usr/bin\nuv = 0.5.1\n", "uv pip install --python {prefix}/bin/pyt"),
        ("pyvenv.cfg", "home = /usr/bin\n", "{prefix}/bin/python -m pip install"),
    ],
)
def test_the_command_is_the_installers_own(
    tmp_path: Path, marker: str, text: str, command: str
) -> None:
    prefix = tmp_path / "bulkup"
    prefix.mkdir()
    (prefix / marker).write_text(text)
    said = extra_command("raw", str(prefix))
    assert said.startswith(command.format(prefix=prefix))
    assert "rawpy" in said
    assert "bulkup[" not in said


def test_packages_are_quoted_for_the_shell(tmp_path: Path) -> None:
    said = install_command("pillow>=11", "pillow-heif", again=True, prefix=f"{tmp_path}/a b")
    expected = f"'{tmp_path}/a b/bin/python' -m pip install --force-reinstall 'pillow>=11' pillow"
    assert said.startswith(expected)
