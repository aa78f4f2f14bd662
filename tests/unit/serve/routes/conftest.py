"""The routes over a library that was pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkup.settings.load import load
from bulkup.settings.table import Settings
from tests.unit.serve.library import Library


@pytest.fixture
def settings(tmp_path: Path, library: Library) -> Settings:
    """The defaults, with a copy of the library's manifest."""
    library.copied_to(tmp_path / "manifest.db")
    return load({"manifest": str(tmp_path / "manifest.db")}, {}, tmp_path, warn=print)
