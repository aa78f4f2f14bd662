"""Which settings files are used."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bulkup.errors import SettingsError
from bulkup.settings.load import load
from bulkup.settings.trust import allow, is_allowed, read_settings_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bulkup.toml"
    path.write_text("[push]\nlimit = 2\n")
    return path


def test_a_permission_holds_for_one_text_at_one_path(tmp_path: Path, file: Path) -> None:
    home = tmp_path / "home"
    assert not is_allowed(read_settings_file(file), home)
    allow(read_settings_file(file), home)
    assert is_allowed(read_settings_file(file), home)
    (tmp_path / "other").mkdir()
    other = shutil.copy(file, tmp_path / "other")
    assert not is_allowed(read_settings_file(Path(other)), home), "other paths"
    file.write_text("[push]\nlimit = 3\n")
    assert not is_allowed(read_settings_file(file), home)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away, which only root may")
def test_a_file_of_another_user_is_never_used(tmp_path: Path, file: Path) -> None:
    home = tmp_path / "home"
    allow(read_settings_file(file), home)
    os.chown(file, 12345, -1)
    assert not is_allowed(read_settings_file(file), home)
    with pytest.raises(SettingsError, match="belongs to another user"):
        allow(read_settings_file(file), home)
    warnings: list[str] = []
    environ = {"BULKUP_HOME": str(home)}
    assert load({}, environ, tmp_path, tmp_path / "none", warn=warnings.append).run.limit is None
    assert load({}, environ, tmp_path / "none", tmp_path, warn=warnings.append).run.limit is None
    assert [text.count("is ignored: it belongs to another user") for text in warnings] == [1, 1]
    assert load({"config": file}, environ, tmp_path, tmp_path).run.limit == 2, "it was named"


def test_an_ignored_file_leaves_the_users_own_in_force(tmp_path: Path, file: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "bulkup.toml").write_text("[push]\nlimit = 1\n")
    warnings: list[str] = []
    environ = {"BULKUP_HOME": str(tmp_path / "home")}
    found = load({}, environ, tmp_path, tmp_path / "config", warn=warnings.append)
    assert found.run.limit == 1
    assert warnings == [f"{file} is ignored: to use it, read it, then run `bulkup allow`"]
