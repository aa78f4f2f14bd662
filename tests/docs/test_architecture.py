"""The page that says where to find things is true."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "bulkup"
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
ROWS = PAGE.partition("## Where to find")[2]
PATHS = set(re.findall(r"`([\w/]+\.py|[\w/]+/)`", PAGE))
NAMES = re.findall(r"`([\w/]+\.py)` \(`([\w.]+)`", PAGE)
RULES = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
CONTRACTS: list[dict[str, Any]] = RULES["tool"]["importlinter"]["contracts"]
PACKAGES = sorted(
    str(init.parent.relative_to(SOURCE))
    for init in SOURCE.rglob("__init__.py")
    if init.parent not in (SOURCE, SOURCE / "cli")  # `--help` lists the verbs of cli
)


def test_it_says_where_to_find_what_newcomers_look_for() -> None:
    assert len(re.findall(r"^\| [^|]+ \| `[\w/]+\.py` \|$", ROWS, re.MULTILINE)) >= 55


def test_a_walk_has_three_steps() -> None:
    walks = PAGE.partition("## Four walks in three steps")[2].partition("##")[0]
    assert [line.count(" → ") for line in walks.splitlines() if line] == [2, 2, 2, 2]


@pytest.mark.parametrize("path", sorted(path for path in PATHS if "VERB" not in path))
def test_every_path_exists(path: str) -> None:
    assert (SOURCE / path).exists()


def test_every_module_that_a_page_names_exists() -> None:
    """The page of the design had two paths of modules that had moved."""
    named = {
        (page.name, path)
        for page in (REPOSITORY / "docs").rglob("*.md")
        for path in re.findall(r"`([\w/]+/\w+\.py)`", page.read_text("utf-8"))
        if "VERB" not in path
    }
    assert named
    assert {one for one in named if not _is_there(one[1])} == set()


def _is_there(path: str) -> bool:
    return (SOURCE / path).exists() or (REPOSITORY / path).exists()


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_every_function_it_names_exists(path: str, name: str) -> None:
    text = (SOURCE / path).read_text("utf-8")
    for part in name.split("."):
        assert re.search(rf"(def|class) {part}\b", text)


def test_the_layers_are_those_that_the_import_rules_check() -> None:
    shown = re.search(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert shown
    layers = [re.split(r"  +", line)[0] for line in shown[1].splitlines()]
    assert layers == CONTRACTS[0]["layers"]


def test_rules_name_what_is_allowed_so_that_a_new_module_keeps_to_them() -> None:
    assert CONTRACTS[0]["exhaustive"]
    assert [one["name"] for one in CONTRACTS[1:] if one["source_modules"] != ["bulkup"]] == []


def test_each_outside_library_may_be_imported_in_the_named_places_only() -> None:
    ruled = {name for one in CONTRACTS for name in one.get("forbidden_modules", ())}
    found = {
        name
        for module in SOURCE.rglob("*.py")
        for name in re.findall(r"^ *(?:import|from) (\w+)", module.read_text("utf-8"), re.MULTILINE)
    }
    # Words behind "from" in docstrings are no packages.
    assert {name for name in found - sys.stdlib_module_names if find_spec(name)} - ruled == {
        "bulkup"
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_of_a_package_names_every_module(package: str) -> None:
    text = (SOURCE / package / "__init__.py").read_text("utf-8")
    modules = [module.stem for module in sorted((SOURCE / package).glob("[a-z]*.py"))]
    assert [name for name in modules if name not in text] == []
