"""What is installed with bulkup, and what bulkup imports: one and the same."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def _names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {_normal(name[0]) for name in found if name}


def _normal(name: str) -> str:
    """As PyPA's "Names and normalization" says."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported() -> set[str]:
    """The distributions that src imports, at whatever place, or reads files of."""
    modules: set[str] = set()
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules.update(name.partition(".")[0] for name in _modules(node))
    known = packages_distributions()
    outside = modules - sys.stdlib_module_names - {"bulkup"}
    return {_normal(name) for module in outside for name in known.get(module, [])}


def _modules(node: ast.AST) -> list[str]:
    """What a piece of code imports. A package of data is not imported but found: a call of
    `find_spec` or of `files` (importlib) with its name written out."""
    match node:
        case ast.Import(names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(
            func=ast.Name(id="find_spec" | "files") | ast.Attribute(attr="find_spec" | "files"),
            args=[ast.Constant(value=str(module))],
        ):
            return [module]
    return []


def test_every_dependency_is_imported() -> None:
    """Each one costs whoever installs bulkup time and trust."""
    assert _names(PROJECT["dependencies"]) - _imported() == set()


def test_every_import_is_a_dependency() -> None:
    """Or an extra, or what a dependency brings: botocore belongs to boto3."""
    extras = [name for extra in PROJECT["optional-dependencies"].values() for name in extra]
    allowed = _names(PROJECT["dependencies"] + extras) | {"botocore"}
    stubs = {
        name for name in _imported() if "stubs" in name or name.startswith(("types-", "mypy-"))
    }
    assert _imported() - allowed - stubs == set()
