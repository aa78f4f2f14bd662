"""The file that `bulkup init` writes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict
from functools import reduce
from typing import TYPE_CHECKING

from bulkup.cli.init import toml_text
from bulkup.settings.load import load
from bulkup.settings.setting import Leaf, leaves
from bulkup.settings.table import Settings, describe

if TYPE_CHECKING:
    from pathlib import Path


def loaded(text: str, folder: Path) -> Settings:
    (folder / "bulkup.toml").write_text(text, "utf-8")
    return load({"config": "bulkup.toml"}, {}, folder, folder)


def defaults(folder: Path) -> Settings:
    return load({}, {}, folder / "none", folder / "none")


def test_as_it_is_it_changes_nothing(tmp_path: Path) -> None:
    assert asdict(loaded(toml_text(), tmp_path)) == asdict(defaults(tmp_path))


def test_uncommented_it_yields_the_defaults(tmp_path: Path) -> None:
    text = re.sub(r"^#(?! |$)", "", toml_text(), flags=re.MULTILINE)
    written = tomllib.loads(text)
    assert len(written["push"]) + len(written["s3"]) > 20, "the lines were really uncommented"
    assert asdict(loaded(text, tmp_path)) == asdict(defaults(tmp_path))


def test_every_example_loads(tmp_path: Path) -> None:
    text = re.sub(
        r"^# For example: (.*)\n#(\w+) = .*$", r"\2 = \1", toml_text(), flags=re.MULTILINE
    )
    settings, plain = loaded(text, tmp_path), defaults(tmp_path)
    assert settings.run.limit == 1000
    changed = {
        leaf.row.key for leaf in leaves(Settings) if value(settings, leaf) != value(plain, leaf)
    }
    assert changed == {row.key for row in describe() if row.example != row.default}


def value(settings: Settings, leaf: Leaf) -> object:
    return reduce(getattr, (*leaf.path, leaf.name), settings)


def test_every_setting_is_there_with_its_names() -> None:
    text = toml_text()
    for row in describe():
        assert f"#{row.key.rpartition('.')[2]} = " in text
        assert all(variable in text for variable in row.env)


def test_lines_fit_a_terminal() -> None:
    assert max(len(line) for line in toml_text().splitlines()) <= 100
